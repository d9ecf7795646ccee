-- delete-order: a work order is taken back. Its waiting jobs end, its running ones are told to stop, it makes no more.
-- An order with more jobs than `limit` is deleted by repeating the call; from the first on it makes no new ones.
-- Dying after it: stops are told with the next renewals; jobs that were not reached end at their next timer, running ones
-- with a repeated call.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include stopping
-- @include serving
-- @arg order string Order id.
-- @arg stop-ms int How long a worker's place stays taken when it does not confirm.
-- @arg remove-ms int After this time agents that are still in the room are to be put out of it; 0 = nobody can.
-- @arg limit int Jobs ended in one call, at most.
-- @reply deleted deleted-at:int stops:json:shapes.Stop[] more:int serve:strings ended:int
-- @reply unknown

local state, deleted_at, retain_ms = unpack(redis.call("HMGET", order_key, "state", "deleted_at", "retain_ms"))
if not state then return { "unknown" } end
if state == "live" then end_order(order, "deleted", "deleted", tonumber(retain_ms)) end
if state ~= "deleted" then
  redis.call("HSET", order_key, "state", "deleted", "cause", "deleted", "deleted_at", now)
  deleted_at = now
end

local stops, serve = {}, {}
local jobs = redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, limit)
for _, id in ipairs(jobs) do
  local record = read_job(id)
  local stop, got_room = terminate_job(id, record, "order_deleted", "the work order was deleted", now + stop_ms,
    remove_ms)
  stops[#stops + 1] = stop
  also_serve(serve, record.pool, got_room)
end
local left = redis.call("ZCOUNT", order_jobs_key, 0, 0)
return { "deleted", deleted_at, encode_list(stops), left > 0 and 1 or 0, serve, #jobs }
