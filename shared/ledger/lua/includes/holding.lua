-- holding: a worker is known to run a job: its holder is back, it came back on a new session, or Redis forgot that it
-- began.
-- @include reserving
-- @include ejecting
-- @include orphaning
-- @include falling-back
-- @include suspending
-- @include splitting

-- A job whose holder is known to run it runs; an orphan does so again, in the place that was kept for it.
local function runs_again(job_id, job)
  redis.call("HSET", job_of(job_id), "state", "running", "updated_at", now)
  if job.running_at == "0" then redis.call("HSET", job_of(job_id), "running_at", now) end
  set_running_timer(job_id, job)
  note_outcome(job_id, job, true)
  if job.state == "orphaned" then
    forget_orphan(job_id, job)
    if job.holder_reports == "1" then redis.call("HSET", session_of(job.session), "reports", 1) end
  end
end

-- A holder that another session takes the place of has moved; a job that nobody held yet has started. Of one that Redis
-- forgot (it has no state) all of that was told long ago.
local function tell_taken(job_id, job, changes)
  if job.state == "starting" or job.state == "running" or job.state == "orphaned" then
    if job.session == changes.session then return end
    changes.from = job.session
    tell("migrated", job_id, job, changes)
  elseif job.state ~= "0" then
    tell("started", job_id, job, changes)
  end
end

-- The session holds the job under this epoch, whatever the ledger knew before: that place is given back.
local function take_over(job_id, job, session_id, gateway, epoch, wire)
  release(job_id, job)
  if job.reported ~= "" then -- of an attempt before this one, as far as Redis kept it
    redis.call("HDEL", job_of(job_id), "reported", "left_at", "left_how", "seek_at")
    job.left_at, job.seek_at = "0", "0"
  end
  if job.late_by ~= "" then redis.call("HDEL", job_of(job_id), "late_by") end
  note_return(job_id, job, session_id)
  local offers = math.max(tonumber(job.offers), tonumber(string.match(wire, "%.(%d+)$") or 1))
  redis.call("HSET", job_of(job_id), "state", "running", "epoch", epoch, "offers", offers, "wire", wire,
    "session", session_id, "gateway", gateway, "updated_at", now)
  for _, field in ipairs({ "started_at", "running_at" }) do
    if job[field] == "0" then redis.call("HSET", job_of(job_id), field, now) end
  end
  forget_orphan(job_id, job)
  forget_hold(job_id, job)
  redis.call("ZREM", parked_of(job.pool), job_id)
  stand_with(job_id, job, redis.call("HGET", session_of(session_id), "pool"))
  set_running_timer(job_id, job)
  redis.call("ZADD", session_jobs_of(session_id), now, reservation(job_id, epoch))
  place(session_id)
  watch(session_id)
  local started_at = job.started_at == "0" and now or job.started_at
  tell_taken(job_id, job, { state = "running", session = session_id, wire = wire, epoch = epoch, started_at = started_at })
end
