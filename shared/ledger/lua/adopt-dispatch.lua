-- adopt-dispatch: which id one of livekit-server's own dispatches is taken over under, in one life of its room. The first id
-- that is told for a likeness stands: a node that crashed makes its dispatches anew under other ids, in the same life.
-- Called a second time with `is-done` when the order is made: from then on it is never made again, however long after.
-- Dying between the two: the next look makes the order under the id that stands.
-- @slot room
-- @key adopted adopted:<sid>
-- @arg sid string Sid of the room's life.
-- @arg likeness string What tells this dispatch from others of the room, whatever its id.
-- @arg id string Dispatch id.
-- @arg is-done bool The order was made.
-- @arg keep-ms int How long this is remembered, from the last look at it.
-- @reply stands id:string done:int

redis.call("HSETNX", adopted_key, likeness, id)
if is_done then redis.call("HSET", adopted_key, likeness .. "|done", 1) end
redis.call("PEXPIRE", adopted_key, keep_ms)
local done = redis.call("HEXISTS", adopted_key, likeness .. "|done")
return { "stands", redis.call("HGET", adopted_key, likeness), done }
