-- withdraw-start: an accept was committed, but its assignment never left: the socket was gone, or the answer too old.
-- Nothing runs, so the job goes back at once: nobody is blamed, and the start counts as no attempt. Also when the session
-- was lost in between and the job is an orphan. Repeated: the same answer.
-- Dying before it: the start deadline does it, or the orphan's grace. Dying after it: the guard timer tries the job.
-- @key job job:<job>
-- @include reserving
-- @include orphaning
-- @include serving
-- @arg job string Job id.
-- @arg session string The session that accepted.
-- @arg epoch int Epoch of the offer.
-- @arg guard-ms int After this time the job is tried again if nobody did.
-- @reply requeued serve:string
-- @reply stale state:string

local record = read_job(job)
if not record then return { "stale", "unknown" } end
local waits = record.state == "queued" or record.state == "parked"
if waits and tonumber(record.withdrawn_epoch) == epoch then
  return { "requeued", to_serve(record.pool, true) }
end
local is_theirs = record.session == session and tonumber(record.epoch) == epoch
if not is_theirs or (record.state ~= "starting" and record.state ~= "orphaned") then return { "stale", record.state } end

forget_orphan(job, record)
local got_room = release(job, record)
requeue_started(job, record, now + guard_ms)
redis.call("HSET", job_key, "withdrawn_epoch", epoch)
redis.call("HINCRBY", job_key, "attempts", -1)
tell_redispatched(job, record, "undelivered", { attempts = tonumber(record.attempts) - 1 })
return { "requeued", to_serve(record.pool, got_room) }
