-- adopt-dispatch: which id one of livekit-server's own dispatches is taken over under, in one life of its room. The first id
-- that is told for a likeness stands: a node that crashed makes its dispatches anew under other ids, in the same life.
-- Called a second time with `is-done` when the order is made: from then on it is never made again, however long after.
-- `late`: once a look found that nobody could take it, which stays so.
-- Dying between the two: the next look makes the order under the id that stands.
-- @slot room
-- @key adopted adopted:<sid>
-- @arg sid string Sid of the room's life.
-- @arg likeness string What tells this dispatch from others of the room, whatever its id.
-- @arg id string Dispatch id.
-- @arg is-done bool The order was made.
-- @arg is-late bool This look found that nobody can take it.
-- @arg keep-ms int How long this is remembered, from the last look at it.
-- @reply stands id:string done:int late:int

redis.call("HSETNX", adopted_key, likeness, id)
if is_done then redis.call("HSET", adopted_key, likeness .. "|done", 1) end
if is_late then redis.call("HSET", adopted_key, likeness .. "|late", 1) end
redis.call("PEXPIRE", adopted_key, keep_ms)
local id_that_stands, done, late = unpack(redis.call("HMGET", adopted_key, likeness, likeness .. "|done",
  likeness .. "|late"))
return { "stands", id_that_stands, done and 1 or 0, late and 1 or 0 }
