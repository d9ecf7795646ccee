-- sweep-ended: forgets jobs and orders whose time of keeping is over, and says how many.
-- Dying after it: the timer stands for what is left.
-- @key deadlines deadlines
-- @key ended-jobs ended-jobs
-- @key ended-orders ended-orders
-- @family job job:
-- @family attempts attempts:
-- @family order order:
-- @family order-jobs order-jobs:
-- @family room-orders room-orders:
-- @arg retain-ms int How long ended things are kept.
-- @arg limit int Jobs, and orders, forgotten in one call, at most.
-- @reply swept jobs:int orders:int more:int

local before = now - retain_ms
local jobs = redis.call("ZRANGEBYSCORE", ended_jobs_key, "-inf", before, "LIMIT", 0, limit)
local orders = redis.call("ZRANGEBYSCORE", ended_orders_key, "-inf", before, "LIMIT", 0, limit)
for _, id in ipairs(jobs) do
  local order = redis.call("HGET", job_of(id), "order")
  -- An order that stays open outlives its jobs, and keeps in mind for whom it made one.
  local is_open = order and order ~= "" and redis.call("HGET", order_of(order), "open") == "1"
  if order and order ~= "" and not is_open then redis.call("ZREM", order_jobs_of(order), id) end
  redis.call("DEL", job_of(id), attempts_of(id))
  redis.call("ZREM", ended_jobs_key, id)
end
for _, id in ipairs(orders) do
  local room = redis.call("HGET", order_of(id), "room")
  if room then redis.call("ZREM", room_orders_of(room), id) end
  redis.call("DEL", order_of(id), order_jobs_of(id))
  redis.call("ZREM", ended_orders_key, id)
end

-- The timer goes to when the oldest of what is left is due, or away with the last of it.
local oldest = nil
for _, key in ipairs({ ended_jobs_key, ended_orders_key }) do
  local first = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2]
  if first and (not oldest or tonumber(first) < oldest) then oldest = tonumber(first) end
end
if oldest then
  redis.call("ZADD", deadlines_key, oldest + retain_ms, "sweep")
else
  redis.call("ZREM", deadlines_key, "sweep")
end
return { "swept", #jobs, #orders, oldest and oldest <= before and 1 or 0 }
