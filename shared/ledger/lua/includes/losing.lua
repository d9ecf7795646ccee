-- losing: what a session leaves behind when its socket is gone.
-- @include ending
-- @include guarding
-- @include draining
-- @include ejecting
-- @include presence
-- @include unjoined
-- @include forgetting
-- @family gateway-sessions gateway-sessions:

-- A drain of one worker ends with its session, but for one whose gateway only lapsed, and that comes back under its id.
local DRAIN_OUTLIVES_MS = 60000

local function no_fates()
  return { requeued = {}, orphaned = {}, ended = {}, guard = 0 }
end

-- Open offers go back without blame; started jobs become orphans, or end well when the worker said goodbye. One whose agent
-- nobody saw in its room is doubted then, as after a report of success.
-- The places of orphans, and of those who were told to stop, stay in session-jobs until that is decided: a session
-- whose gateway only lapsed comes back under its id, and must not look empty then.
-- Adds job ids to the lists of `fates`. The session's pool, or nil when it was not there; and what the guard knows of it.
local function lose_session(id, gateway, grace_ms, guard_ms, goodbye, fates)
  local pool, reports, labels, issuer, since, made_good = unpack(redis.call("HMGET", session_of(id), "pool", "reports",
    "labels", "api_key", "connected_at", "made_good"))
  redis.call("SREM", gateway_sessions_of(gateway), id)
  if not pool then return nil end
  leave_pool(id, pool, labels)
  redis.call("ZREM", ejected_of(pool), id)
  redis.call("DEL", session_of(id))
  redis.call("ZREM", sessions_key, id)
  redis.call("ZREM", pool_sessions_of(pool), id)
  local lost = witness(id, pool, issuer, since, made_good)
  redis.call("ZREM", deadlines_key, "session|" .. id)
  if drain_of_worker(id) then set_timer("session|" .. id, now + DRAIN_OUTLIVES_MS) end
  local has_worked = reports == "1"
  for _, member in ipairs(redis.call("ZRANGE", session_jobs_of(id), 0, -1)) do
    local job_id, epoch = string.match(member, "^(.-)#(.*)$")
    local job = read_job(job_id)
    if job and job.session == id and job.epoch == epoch then
      if job.state == "offered" then
        redis.call("ZREM", session_jobs_of(id), member)
        requeue(job_id, now + guard_ms)
        close_attempt(job_id, job, "undelivered")
        tell("rejected", job_id, job, { state = "queued", reason = "undelivered" })
        table.insert(fates.requeued, job_id)
      elseif job.state == "starting" or job.state == "running" then
        has_worked = true
        if goodbye and must_doubt(job) then
          doubt_report(job_id, job, "success")
        elseif goodbye then
          end_job(job_id, job, "success", "goodbye", "", false)
          table.insert(fates.ended, job_id)
        else
          make_orphan(job_id, job, reports, lost.group, grace_ms)
          table.insert(fates.orphaned, job_id)
        end
      end
    end
  end
  leave_behind(pool, now - lost.since, has_worked)
  try_ejected(pool)
  return pool, lost
end

-- The same for one that nobody wanted to go: losses are counted, for the guard.
local function miss_session(id, gateway, grace_ms, guard_ms, fates)
  local pool, lost = lose_session(id, gateway, grace_ms, guard_ms, false, fates)
  if pool and count_loss(id, lost) then fates.guard = 1 end
  return pool
end
