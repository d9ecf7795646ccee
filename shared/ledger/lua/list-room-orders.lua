-- list-room-orders: the newest work orders of a room, oldest first, each with its jobs. Reads only.
-- @key room-orders room-orders:<room>
-- @include records
-- @family order order:
-- @family order-jobs order-jobs:
-- @family job job:
-- @arg room string Room name.
-- @arg only string One order id, or empty for all.
-- @arg limit int Orders listed, at most; and jobs of each.
-- @reply listed orders:json:shapes.OrderWithJobs[]

local listed = {}
local ids = only ~= "" and { only } or redis.call("ZRANGE", room_orders_key, -limit, -1)
for _, id in ipairs(ids) do
  local order = read_hash(order_of(id))
  if order and order.room == room then
    local jobs = {}
    for _, job_id in ipairs(redis.call("ZRANGE", order_jobs_of(id), 0, limit - 1)) do
      jobs[#jobs + 1] = read_hash(job_of(job_id))
    end
    listed[#listed + 1] = { order = order, jobs = jobs }
  end
end
return { "listed", encode_list(listed) }
