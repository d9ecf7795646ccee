-- unjoined: a worker says that its job went well, and nobody saw its agent in the room. The worker's place is free, since it
-- runs the job no more; the job stays `running`, with a timer, until presence was asked (settle-unjoined).
-- `reported` is the outcome that the worker named, `left_at` when: a version that does not know `reported` ends such a job
-- well after its bound on reports.
-- @include ejecting
-- @include ending
-- @include presence

-- LiveKit may still be about to tell that the agent joined, and left.
local CHECK_AFTER_MS = 2000

-- Whether a success of this job is to be doubted.
local function must_doubt(job)
  return job.participant_sid == "" and job.agent_identity ~= "" and job.order ~= "" and presence_is_known()
end

-- True when a session got room by it; and when presence is asked.
local function doubt_report(job_id, job, outcome)
  local due = now + CHECK_AFTER_MS
  forget_orphan(job_id, job)
  redis.call("HSET", job_of(job_id), "state", "running", "reported", outcome, "left_at", now, "left_how", "clean",
    "updated_at", now)
  set_timer("job|" .. job_id, due)
  return release(job_id, job), due
end

-- The worker's word stands.
local function believe_report(job_id, job)
  went_well(job)
  return end_job(job_id, job, job.reported, "reported", "", false)
end
