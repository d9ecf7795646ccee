-- waiting: how a job waits. Parked jobs stand in order of priority, then age; every waiting job has a timer.
-- @include jobs
-- @include attempting
-- @include preferring
-- @include eventing
-- @include pacing
-- @key deadlines deadlines
-- @family parked parked:

-- The ledger ends an offer this much later than its gateway does: only the gateway knows whether the worker was asked.
local ANSWER_MARGIN_MS = 2000

-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact
-- in a double until the year 2109. A suspect job (includes/blaming) stands behind all others.
local function rank(job)
  local class = job.suspect_at == "0" and 1000 - tonumber(job.priority) or 1001
  return class * 4398046511104 + tonumber(job.created_at)
end

-- When the next fallback step of a job is due; nil when there is none. Counted from when it began to wait, which lies as
-- long before wait_until as it may wait, or from the end of a back-off, which is no waiting for a worker.
local function fallback_due(job)
  if job.fallback_after == "0" then return nil end
  return waits_since(job) + tonumber(job.fallback_after)
end

-- Whether all callers left the room of a job for so long that nobody is to be sent there (includes/leaving).
local function is_left_alone(job)
  return job.alone_until ~= "0" and now >= tonumber(job.alone_until)
end

-- Until when a job that nobody takes is left as it is: a wish that it gives up, its next fallback step, the end of its wait for
-- callers who left, or the end of its waiting time.
local function patience_ends(job)
  local alone_until = job.alone_until ~= "0" and tonumber(job.alone_until) or math.huge
  return math.min(next_loosening(job) or math.huge, fallback_due(job) or math.huge, alone_until,
    tonumber(job.wait_until))
end

-- A job that a split placed is looked at every few seconds, as whoever it waits for can have gone for good (includes/siding).
local SIDE_LOOK_MS = 5000
local function waits_at_side(job)
  return job.split_state ~= "" and job.fallback_step == "0"
end

-- Until when a parked job that backs off from nobody is left as it is.
local function next_look(job)
  return math.min(waits_at_side(job) and now + SIDE_LOOK_MS or math.huge, patience_ends(job))
end

local function set_timer(member, due)
  redis.call("ZADD", deadlines_key, due, member)
end

-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, a fallback step, or the
-- end of its waiting time.
local function park(id, job, retry_at)
  local due = retry_at and math.min(retry_at, patience_ends(job)) or next_look(job)
  redis.call("HSET", job_of(id), "state", "parked", "updated_at", now)
  redis.call("ZADD", parked_of(job.pool), string.format("%.0f", rank(job)), id)
  set_timer("job|" .. id, due)
  if job.state ~= "parked" and somebody_listens() then
    local position = redis.call("ZRANK", parked_of(job.pool), id)
    local estimate = estimated_wait(job.pool, position)
    tell("parked", id, job, { state = "parked", position = position, estimated_wait = estimate })
  end
end

-- Sends a job back to be tried again. The timer finds it should nobody do so at once.
local function requeue(id, due)
  redis.call("HSET", job_of(id), "state", "queued", "session", "", "gateway", "", "updated_at", now)
  set_timer("job|" .. id, due)
end

-- The same for one that had started: it may wait as long as at first, for those whom it had come to in its fallback, and
-- its next start is a new one.
local function requeue_started(id, job, due)
  requeue(id, due)
  redis.call("HSET", job_of(id), "wait_until", string.format("%.0f", now + tonumber(job.wait_ms)))
  -- What a worker was lost with has run.
  if job.state == "orphaned" and job.doubts ~= "" then redis.call("HDEL", job_of(id), "doubts", "suspect_at", "suspect_told") end
  redis.call("HDEL", job_of(id), "running_at", "unseen_until", "not_before", "resumed_epoch", "withdrawn_epoch",
    "participant_sid", "participant_joined_at", "left_at", "left_how", "reported", "seek_at")
end

-- To be called with the job as it was when it had started, where it is sent back to be given to another worker: told to
-- who listens, and kept for explain.
local function tell_redispatched(id, job, reason, changes)
  close_attempt(id, job, reason)
  changes.state, changes.session, changes.from, changes.reason = "queued", "", job.session, reason
  tell("redispatched", id, job, changes)
end

-- Whoever refused it before is asked again.
local function forget_refusals(id, job)
  redis.call("HDEL", job_of(id), "excluded", "rounds", "met_full")
  job.excluded = ""
end

-- The sessions that are not asked again for this job, until its back-off is over.
local function exclude(id, job, session_id)
  job.excluded = job.excluded == "" and session_id or (job.excluded .. "," .. session_id)
  redis.call("HSET", job_of(id), "excluded", job.excluded)
end

local function parked_count(pool)
  return redis.call("ZCARD", parked_of(pool))
end
