-- rest: an actor wants to go: the namespace may rest when it has neither sessions nor live jobs other than those on hold,
-- which wait for a call and not for a worker; and its queue holds no entry, not even one that somebody took and did not
-- finish. From then on whoever brings the first must list it in the index again; `next` is when its next timer is due, -1
-- when it has none. `queued` is what could be taken off the queue now: an actor that was not told of it should look.
-- `told` is what the outbox holds: nobody rests before it was moved on.
-- The outbox stays, empty: ids in it never begin anew.
-- Dying after it: the due index still lists the namespace, and whoever looks finds it resting.
-- @key index index
-- @key jobs jobs
-- @key held held
-- @key sessions sessions
-- @key gateways gateways
-- @key deadlines deadlines
-- @key losses losses
-- @key arrivals arrivals
-- @key guard guard
-- @key events events
-- @include listening
-- @key presence presence
-- @key waiting queue:wait
-- @key prioritized queue:prioritized
-- @key taken queue:active
-- @key delayed queue:delayed
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @reply resting next:int
-- @reply busy queued:int told:int

local queued = redis.call("LLEN", waiting_key) + redis.call("ZCARD", prioritized_key)
local is_used = redis.call("ZCARD", jobs_key) > redis.call("ZCARD", held_key) or redis.call("ZCARD", sessions_key) > 0
local is_queue_used = queued > 0 or redis.call("EXISTS", taken_key, delayed_key) > 0
local told = redis.call("XLEN", events_key)
if is_used or is_queue_used or told > 0 then
  keep_listening(listen_ms)
  return { "busy", queued, told }
end
redis.call("HDEL", index_key, "awake")
redis.call("HINCRBY", index_key, "rests", 1)
for _, gateway in ipairs(redis.call("ZRANGE", gateways_key, 0, -1)) do
  redis.call("ZREM", deadlines_key, "gateway|" .. gateway)
end
redis.call("DEL", gateways_key, losses_key, arrivals_key, guard_key, listening_key, presence_key)
local following = redis.call("ZRANGE", deadlines_key, 0, 0, "WITHSCORES")
return { "resting", following[2] and math.floor(tonumber(following[2])) or -1 }
