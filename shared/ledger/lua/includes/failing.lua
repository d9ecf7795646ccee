-- failing: a started job failed. It goes back when its order restarts and attempts are left, after a back-off that
-- doubles; else it ends. What is retried has its timer at the end of the back-off.
-- @include ending
-- @include ejecting

local FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS = 1000, 30000

local function may_restart(job)
  return policy_for(job) == "on_failure" and tonumber(job.attempts) < tonumber(job.max_attempts)
end

-- When the timer of a job that backs off is due: at the end of that, or sooner, when its callers have been gone for too long.
local function looked_at(job, back)
  return job.alone_until ~= "0" and math.min(back, tonumber(job.alone_until)) or back
end

-- `keep_place` as for end_job. True when a session got room by it; and when its timer is due. Until its next offer, `wire` is known to have failed.
-- `reason`: failed (the worker says so) or agent_left. `at_once`: it failed as soon as it ran, so that others are asked first.
local function retry_job(job_id, job, reason, message, wire, keep_place, at_once)
  note_outcome(job_id, job, false, reason)
  forget_orphan(job_id, job)
  local got_room = not keep_place and release(job_id, job)
  local doubled = FIRST_BACK_OFF_MS * 2 ^ math.min(10, math.max(0, tonumber(job.attempts) - 1))
  local back = now + math.min(LONGEST_BACK_OFF_MS, doubled)
  local due = looked_at(job, back)
  requeue_started(job_id, job, due)
  forget_refusals(job_id, job)
  if at_once and somebody_else(job.session, job.pool) then exclude(job_id, job, job.session) end
  redis.call("HSET", job_of(job_id), "not_before", string.format("%.0f", back), "failed_wire", wire, "error", message)
  tell_redispatched(job_id, job, reason, { error = message })
  return got_room, due
end
