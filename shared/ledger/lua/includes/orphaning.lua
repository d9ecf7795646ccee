-- orphaning: started jobs whose holder's socket is gone, listed by pool: a new session may be the one that is missed.
-- @include waiting
-- @family orphans orphans:

-- What was known of the start and of the session is kept with the job, for the session's own record goes: whether it was
-- seen to report, and whose guard is the job's (includes/guarding).
-- `unseen_until`: the start deadline of a job that was not yet seen; until then its absence from the room says nothing.
local function make_orphan(id, job, reports, holder_peers, grace_ms)
  local unseen = "0"
  if job.state == "starting" then
    unseen = job.unseen_until ~= "0" and job.unseen_until or redis.call("ZSCORE", deadlines_key, "job|" .. id) or "0"
  end
  redis.call("HSET", job_of(id), "state", "orphaned", "orphaned_at", now, "updated_at", now,
    "holder_reports", reports, "holder_peers", holder_peers, "grace_until", string.format("%.0f", now + grace_ms), "unseen_until", unseen)
  redis.call("SADD", orphans_of(job.pool), id)
  set_timer("job|" .. id, now + grace_ms)
end

-- A job runs by its worker's word alone: from then on its agent is looked for. Kept with the job, so that it outlives its socket.
local function seek_agent(id, at)
  redis.call("HSET", job_of(id), "seek_at", string.format("%.0f", at))
  set_timer("job|" .. id, at)
end

-- A job that runs has a timer only when its agent was seen to leave the room, or is to be looked for.
local function set_running_timer(id, job)
  if job.left_at ~= "0" then
    set_timer("job|" .. id, now)
  elseif job.seek_at ~= "0" and job.participant_sid == "" then
    set_timer("job|" .. id, tonumber(job.seek_at))
  else
    redis.call("ZREM", deadlines_key, "job|" .. id)
  end
end

-- To be called with the job as it was, whenever its state changes from whatever it was.
local function forget_orphan(id, job)
  if job.state == "orphaned" then redis.call("SREM", orphans_of(job.pool), id) end
end
