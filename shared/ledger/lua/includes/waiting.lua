-- waiting: how a job waits. Parked jobs stand in order of priority, then age; every waiting job has a timer.
-- @include records
-- @key deadlines deadlines
-- @family job job:
-- @family parked parked:

-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact
-- in a double until the year 2109.
local function rank(job)
  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)
end

local function set_timer(member, due)
  redis.call("ZADD", deadlines_key, due, member)
end

-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its
-- waiting time.
local function park(id, job, retry_at)
  local due = tonumber(job.wait_until)
  if retry_at and retry_at < due then due = retry_at end
  redis.call("HSET", job_of(id), "state", "parked", "updated_at", now)
  redis.call("ZADD", parked_of(job.pool), string.format("%.0f", rank(job)), id)
  set_timer("job|" .. id, due)
end

-- Sends a job back to be tried again. The timer finds it should nobody do so at once.
local function requeue(id, due)
  redis.call("HSET", job_of(id), "state", "queued", "session", "", "gateway", "", "updated_at", now)
  set_timer("job|" .. id, due)
end

-- The sessions that are not asked again for this job, until its back-off is over.
local function exclude(id, job, session_id)
  redis.call("HSET", job_of(id), "excluded", job.excluded == "" and session_id or (job.excluded .. "," .. session_id))
end

local function parked_count(pool)
  return redis.call("ZCARD", parked_of(pool))
end
