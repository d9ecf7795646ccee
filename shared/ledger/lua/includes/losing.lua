-- losing: what a session leaves behind when its socket is gone.
-- @include reserving
-- @include waiting
-- @key sessions sessions
-- @family gateway-sessions gateway-sessions:

-- Open offers go back without blame; started jobs become orphans, whose fate is decided within the grace.
-- The places of orphans, and of those who were told to stop, stay in session-jobs until that is decided: a session
-- whose gateway only lapsed comes back under its id, and must not look empty then.
-- Fills the two lists with job ids. The session's pool, or nil when it was not there.
local function lose_session(id, gateway, grace_ms, guard_ms, requeued, orphaned)
  local pool = redis.call("HGET", session_of(id), "pool")
  redis.call("SREM", gateway_sessions_of(gateway), id)
  if not pool then return nil end
  redis.call("ZREM", pool_of(pool), id)
  redis.call("DEL", session_of(id))
  redis.call("ZREM", sessions_key, id)
  redis.call("ZREM", deadlines_key, "session|" .. id)
  for _, member in ipairs(redis.call("ZRANGE", session_jobs_of(id), 0, -1)) do
    local job_id, epoch = string.match(member, "^(.-)#(.*)$")
    local state, holder, newest = unpack(redis.call("HMGET", job_of(job_id), "state", "session", "epoch"))
    if holder == id and newest == epoch then
      if state == "offered" then
        redis.call("ZREM", session_jobs_of(id), member)
        requeue(job_id, now + guard_ms)
        requeued[#requeued + 1] = job_id
      elseif state == "starting" or state == "running" then
        redis.call("HSET", job_of(job_id), "state", "orphaned", "orphaned_at", now, "updated_at", now)
        set_timer("job|" .. job_id, now + grace_ms)
        orphaned[#orphaned + 1] = job_id
      end
    end
  end
  return pool
end
