-- expire-order: an order that makes jobs as participants come waited for its room as long as it may: it ends as expired. A
-- room that opens in the same moment comes before this script or after it: bound by then, the order has no such timer any
-- more; expired by then, it makes no jobs.
-- Repeating it changes nothing. Dying after it: the order is over, and is swept in its time.
-- @key deadlines deadlines
-- @include ending
-- @include awaiting
-- @arg order string Order id.
-- @reply expired
-- @reply idle

local due = tonumber(redis.call("ZSCORE", deadlines_key, "order|" .. order))
if not due or due > now then return { "idle" } end
local until_ms = awaits_until(order)
if not until_ms or now < until_ms then
  await_room(order)
  return { "idle" }
end
end_order(order, "expired", "waited_too_long", tonumber(redis.call("HGET", order_of(order), "retain_ms")))
return { "expired" }
