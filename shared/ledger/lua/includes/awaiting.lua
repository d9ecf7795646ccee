-- awaiting: how long an order waits for its room. One that makes jobs as participants come has none before the room opens,
-- and nothing of a job would ever end it. So it has a timer of its own while it is live, not on hold, bound to no life of
-- its room, and without live jobs; at no other time.
-- @key deadlines deadlines
-- @family order order:
-- @family order-jobs order-jobs:

local function stop_awaiting(id)
  redis.call("ZREM", deadlines_key, "order|" .. id)
end

-- Until when it waits, from when it was made or released; nil when it does not. `wait_ms` is always there with `open`.
local function awaits_until(id)
  local state, open, is_held, bound_to, created_at, released_at, wait_ms = unpack(redis.call("HMGET", order_of(id),
    "state", "open", "held", "room_sid", "created_at", "released_at", "wait_ms"))
  if state ~= "live" or open ~= "1" or is_held or bound_to then return nil end
  if redis.call("ZCOUNT", order_jobs_of(id), 0, 0) > 0 then return nil end
  return tonumber(released_at or created_at) + tonumber(wait_ms)
end

-- To be called after whatever may have changed that.
local function await_room(id)
  local until_ms = awaits_until(id)
  if not until_ms then return stop_awaiting(id) end
  redis.call("ZADD", deadlines_key, string.format("%.0f", until_ms), "order|" .. id)
end
