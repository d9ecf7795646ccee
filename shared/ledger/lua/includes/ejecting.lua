-- ejecting: workers that are sick, each by what it did itself. A session collects strikes: an offer that it did not answer
-- (silent), refusals with no acceptance between (rejects), jobs that failed at once (fails_early), jobs that never began
-- (never_starts). Enough of one kind, of as many orders and rooms, and it is ejected: offered nothing for a while, twice as
-- long each time. Then it is on probation: one place at a time of those given since (includes/placing), until one of its jobs
-- shows that it works, or it is struck again. Of an incident only the first word counts: what was offered before an ejection
-- strikes no second time. A job that came to nothing with others too is at fault itself (includes/blaming): what it brought
-- upon them is taken back. The last one of a pool that can take work is never ejected: jobs would wait for nothing.
-- Must never strike for what we, or the network, did: see the callers.
-- `health`: absent, ejected (until its timer was looked at), probation. `ejected_at` stays through probation.
-- @include blaming
-- @include placing
-- @key gateways gateways
-- @key deadlines deadlines
-- @family ejected ejected:
-- @family pool-sessions pool-sessions:

local ENOUGH = { silent = 1, rejects = 5, fails_early = 3, never_starts = 2 }
local LONGEST_MS, TOLD_AGAIN_MS = 300000, 60000
-- Places of a session, sessions with room, and any of the pool, looked at for one verdict, at most.
local PLACES, ROOMY, SESSIONS = 16, 16, 256

-- Whether another session of the pool can take work, now or when it is less full. Looked for where there is room, then
-- among as many others as one script may: should it be missed there, the worker only cools down for less long.
local function somebody_else(id, pool)
  local function can(other)
    if other == id then return false end
    local gateway, draining, drained, cooling_until = unpack(redis.call("HMGET", session_of(other), "gateway", "draining",
      "drained", "cooling_until"))
    if not gateway or draining == "1" or drained or tonumber(cooling_until) > now then return false end
    local lease = redis.call("ZSCORE", gateways_key, gateway)
    return lease and tonumber(lease) > now
  end
  for _, other in ipairs(redis.call("ZRANGE", pool_of(pool), 0, ROOMY - 1)) do if can(other) then return true end end
  for _, other in ipairs(redis.call("ZRANDMEMBER", pool_sessions_of(pool), SESSIONS)) do if can(other) then return true end end
  return false
end

-- When a job that it was given since then has run for so long that the worker can do its work; nil when it has none that
-- may. One that is not seen to run counts from its start where the worker never says, else from now on at the soonest.
local function proof_at(id, since, early_ms)
  local reports = redis.call("HGET", session_of(id), "reports") == "1"
  local given = redis.call("ZRANGE", session_jobs_of(id), since, "(+inf", "BYSCORE", "LIMIT", 0, PLACES, "WITHSCORES")
  local soonest = nil
  for index = 1, #given, 2 do
    local job_id, epoch = string.match(given[index], "^(.-)#(.*)$")
    local job, began = read_job(job_id), nil
    local holds = job and job.session == id and job.epoch == epoch and job.left_at == "0"
    if holds and job.state == "running" then
      began = math.max(tonumber(job.running_at), tonumber(given[index + 1]))
    elseif holds and job.state == "starting" then
      began = reports and now or tonumber(given[index + 1])
    end
    if began then soonest = math.min(soonest or math.huge, began + early_ms) end
  end
  return soonest
end

local function is_of_jobs(entry)
  return string.find(entry, "^fails_early,") or string.find(entry, "^never_starts,")
end

-- It is offered work as any other, and nothing is held against it any more, but what `keeps_strikes` leaves. True when it has room.
local function recover(id, keeps_strikes)
  local pool, enters = unpack(redis.call("HMGET", session_of(id), "pool", "entering_until"))
  redis.call("HDEL", session_of(id), "health", "ejected_at", "ejections")
  if not keeps_strikes then redis.call("HDEL", session_of(id), "why", "failed_at", "struck", "last_told_at") end
  redis.call("HSET", session_of(id), "cooling_until", 0)
  redis.call("ZREM", ejected_of(pool), id)
  if enters and tonumber(enters) > now then
    set_timer("session|" .. id, enters)
  else
    redis.call("ZREM", deadlines_key, "session|" .. id)
  end
  return (place(id))
end

-- The last one that can take work stays; that it should not is said once a while, since somebody has to look at it.
local function eject(id, pool, reason, cool_ms)
  local key = session_of(id)
  local agent, ejections, last_told_at = unpack(redis.call("HMGET", key, "agent", "ejections", "last_told_at"))
  local told = { session = id, agent = agent or "", reason = reason }
  if not somebody_else(id, pool) then
    if last_told_at and now < tonumber(last_told_at) + TOLD_AGAIN_MS then return nil end
    redis.call("HSET", key, "last_told_at", string.format("%.0f", now))
    told.until_ms, told.ejections, told.last_of_pool = now, tonumber(ejections or 0), true
    return told
  end
  ejections = redis.call("HINCRBY", key, "ejections", 1)
  local cools_ms = math.min(LONGEST_MS, cool_ms * 2 ^ math.min(10, ejections - 1))
  local until_ms = string.format("%.0f", now + cools_ms)
  redis.call("HSET", key, "health", "ejected", "ejected_at", string.format("%.0f", now), "cooling_until", until_ms)
  redis.call("ZADD", ejected_of(pool), until_ms, id)
  set_timer("session|" .. id, until_ms)
  place(id)
  told.until_ms, told.ejections, told.last_of_pool = tonumber(until_ms), ejections, false
  return told
end

-- A job that was held against it turned out to be at fault itself. What it did is remembered: should somebody take that job
-- after all, it speaks against it again. True when it has room by that.
local function reconsider(id, early_ms)
  local struck, ejected_at = unpack(redis.call("HMGET", session_of(id), "struck", "ejected_at"))
  if not ejected_at then return false end
  for reason, enough in pairs(ENOUGH) do
    if held_against(struck, reason, early_ms) >= enough then return false end
  end
  return recover(id, true)
end

-- Whether it was asked for another job, or took one, since its last report: that may have filled it up, which it says with the
-- next one. Until then it refuses, rightly, all that a burst brings it. The job that it refuses has its place among these.
local function was_given_some(id)
  local sampled_at = redis.call("HGET", session_of(id), "sampled_at")
  return sampled_at and redis.call("ZCOUNT", session_jobs_of(id), sampled_at, "+inf") > 1
end

-- To be called with the job as it was offered or held. Whom to blame, when it comes to that, else nil: the session that is
-- ejected, or the job that is suspect; and whether another session got room by the latter. On probation one strike is
-- enough; a refusal alone is none, for whoever is full refuses.
local function strike(id, job, reason, cool_ms, early_ms)
  local key = session_of(id)
  local pool, ejected_at, cooling_until, failed_at, struck = unpack(redis.call("HMGET", key, "pool", "ejected_at",
    "cooling_until", "failed_at", "struck"))
  if not pool or (reason == "rejects" and was_given_some(id)) then return nil, false end
  local others, suspicion = doubt_job(job, id, reason)
  local got_room = false
  for _, other in ipairs(others) do got_room = reconsider(other, early_ms) or got_room end
  if ejected_at and (tonumber(cooling_until) > now or tonumber(job.offered_at) <= tonumber(ejected_at)) then
    return suspicion, got_room
  end
  if reason == "fails_early" or reason == "never_starts" then
    -- Not in a row when another job got going in between.
    local proof = failed_at and not ejected_at and proof_at(id, failed_at, early_ms)
    if proof and proof <= now then struck = entries_without(struck or "", is_of_jobs) end
    redis.call("HSET", key, "failed_at", string.format("%.0f", now))
  end
  struck = struck_with(struck, reason, job)
  redis.call("HSET", key, "struck", struck, "why", reason)
  local is_tried = ejected_at and reason ~= "rejects"
  local is_enough = job.suspect_at == "0" and (is_tried or held_against(struck, reason, early_ms) >= ENOUGH[reason])
  return is_enough and eject(id, pool, reason, cool_ms) or suspicion, got_room
end

-- A job ended well, or only after it had run for a while. It speaks for what the worker did since it began.
local function went_well(job)
  local id = job.session
  clear_job(job)
  local ejected_at, cooling_until, failed_at, struck = unpack(redis.call("HMGET", session_of(id), "ejected_at",
    "cooling_until", "failed_at", "struck"))
  if ejected_at then
    if tonumber(cooling_until) <= now and tonumber(job.started_at) >= tonumber(ejected_at) then recover(id) end
  elseif failed_at and tonumber(job.started_at) >= tonumber(failed_at) then
    write_or_drop(session_of(id), "struck", entries_without(struck or "", is_of_jobs))
    redis.call("HDEL", session_of(id), "failed_at")
  end
end

-- A job failed at its holder, at the time `at`. Whom to blame, or nil; whether it failed at once: one that was never seen to
-- run did, but at a worker that never says so until then; and whether a session got room.
local function went_wrong(job, at, cool_ms, early_ms)
  local reports = redis.call("HGET", session_of(job.session), "reports") == "1"
  local began = job.running_at ~= "0" and job.running_at or not reports and job.started_at or nil
  if began and at - tonumber(began) >= early_ms then
    went_well(job)
    return nil, false, false
  end
  local blame, got_room = strike(job.session, job, "fails_early", cool_ms, early_ms)
  return blame, true, got_room
end

-- A worker that says it is full was right to refuse.
local function excuse(id)
  local struck, ejected_at = unpack(redis.call("HMGET", session_of(id), "struck", "ejected_at"))
  if not struck then return end
  local left = entries_without(struck, function(entry) return string.find(entry, "^rejects,") end)
  if left == struck then return end
  write_or_drop(session_of(id), "struck", left)
  if ejected_at and not left then recover(id) end
end

-- A job came to a session on probation in another way than by an offer: its timer looks at it.
local function watch(id)
  local ejected_at, cooling_until = unpack(redis.call("HMGET", session_of(id), "ejected_at", "cooling_until"))
  if ejected_at and tonumber(cooling_until) <= now then set_timer("session|" .. id, now) end
end

-- Somebody of the pool is gone. When nobody is left who can take work, of those that were ejected the first to come back
-- is tried now: its jobs would wait for what may be minutes, and nobody would say so.
local function try_ejected(pool)
  local first, until_ms = unpack(redis.call("ZRANGE", ejected_of(pool), 0, 0, "WITHSCORES"))
  if not first or tonumber(until_ms) <= now or somebody_else("", pool) then return end
  local at = string.format("%.0f", now)
  redis.call("HSET", session_of(first), "cooling_until", at)
  redis.call("ZADD", ejected_of(pool), at, first)
  set_timer("session|" .. first, at)
end

-- The timer of a session is due. It answered offers, and nothing else was held against it, or a job got going: it is back.
-- Else it is on probation, and looked at again when its job can have shown something.
local function look_at_health(id, early_ms)
  local pool, ejected_at, cooling_until, struck = unpack(redis.call("HMGET", session_of(id), "pool", "ejected_at",
    "cooling_until", "struck"))
  if not ejected_at or tonumber(cooling_until) > now then return end
  local proof = proof_at(id, ejected_at, early_ms)
  if not struck or (proof and proof <= now) then
    recover(id)
    return
  end
  redis.call("HSET", session_of(id), "health", "probation")
  redis.call("ZREM", ejected_of(pool), id)
  if proof then set_timer("session|" .. id, proof) end
end
