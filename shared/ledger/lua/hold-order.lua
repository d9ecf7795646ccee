-- hold-order: a work order is put on hold: none of its jobs is offered to anybody, neither those that wait nor those that
-- come. What was offered or started goes on; sent back, it is held too. An order with more live jobs than `limit` is held by
-- repeating the call from `next` on, which is -1 at the end.
-- Repeating it changes nothing. Dying after it: no job of the order is placed any more; those that were not reached are held
-- when they are tried, or with their next timer.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include suspending
-- @arg order string Order id.
-- @arg first int Live jobs to pass over.
-- @arg limit int Jobs looked at in one call, at most.
-- @reply held next:int
-- @reply closed state:string
-- @reply unknown

local state = redis.call("HGET", order_key, "state")
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
redis.call("HSET", order_key, "held", 1)
local ids = redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", first, limit)
for _, id in ipairs(ids) do
  local job = read_job(id)
  if (job.state == "queued" or job.state == "parked") and job.held ~= "1" then suspend(id, job) end
end
return { "held", #ids == limit and first + limit or -1 }
