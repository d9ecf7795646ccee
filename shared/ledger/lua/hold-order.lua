-- hold-order: a work order is put on hold: none of its jobs is offered to anybody, neither those that wait nor those that
-- come. What was offered or started goes on; sent back, it is held too. Nor does its wait for a room go on. An order with
-- more jobs than `limit` is held by repeating the call with `next` as its cursor, which is "0" at the end: jobs that come or
-- end meanwhile hide no other.
-- Repeating it changes nothing. Dying after it: no job of the order is placed any more; those that were not reached are held
-- when they are tried, or with their next timer.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include suspending
-- @include awaiting
-- @arg order string Order id.
-- @arg cursor string "0" to begin.
-- @arg limit int Jobs looked at in one call, more or less.
-- @reply held next:string
-- @reply closed state:string
-- @reply unknown

local state = redis.call("HGET", order_key, "state")
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
redis.call("HSET", order_key, "held", 1)
stop_awaiting(order)
local found = redis.call("ZSCAN", order_jobs_key, cursor, "COUNT", limit)
for index = 1, #found[2], 2 do
  local id = found[2][index]
  local job = read_job(id)
  if job and (job.state == "queued" or job.state == "parked") and job.held ~= "1" then suspend(id, job) end
end
return { "held", found[1] }
