-- reserving: the capacity that a job takes on a session, as a set member (job, epoch), and its release.
-- @include placing

local function reservation(job_id, epoch)
  return job_id .. "#" .. epoch
end

-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.
local function release(job_id, job)
  if job.session == "" then return false end
  redis.call("ZREM", session_jobs_of(job.session), reservation(job_id, job.epoch))
  return (place(job.session))
end
