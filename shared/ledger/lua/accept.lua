-- accept: the worker took the offer. Commits only for OFFERED, the same epoch, the same session, that one live, and
-- callers who have not left for good; then, and never otherwise, the gateway sends the assignment. Repeated: the same answer.
-- Dying after it: the job is an orphan when the gateway's lease ends, and was never seen to start.
-- @key job job:<job>
-- @key session session:<session>
-- @key session-jobs session-jobs:<session>
-- @key deadlines deadlines
-- @include eventing
-- @include clearing
-- @include sticking
-- @arg job string Job id.
-- @arg session string The session whose socket carried the offer.
-- @arg epoch int Epoch of the offer.
-- @arg agent-identity string Identity of the participant that the agent will be; the first one stays.
-- @arg start-ms int Time in which the job must be seen to run.
-- @reply started started-at:int agent-identity:string
-- @reply stale state:string

local state, holder, held_epoch, started_at, identity, attempts, sticky, alone_until, doubts = unpack(redis.call("HMGET",
  job_key, "state", "session", "epoch", "started_at", "agent_identity", "attempts", "sticky", "alone_until", "doubts"))
if not state then return { "stale", "unknown" } end
holder, held_epoch, identity = holder or "", held_epoch or "0", identity or ""
if holder ~= session or tonumber(held_epoch) ~= epoch then return { "stale", state } end
if state == "starting" or state == "running" then
  if identity == "" then
    -- Recovered from an assertion, which does not know the identity.
    identity = agent_identity
    redis.call("HSET", job_key, "agent_identity", identity)
  end
  return { "started", started_at, identity }
end
local pool, struck, ejected_at, cooling_until = unpack(redis.call("HMGET", session_key, "pool", "struck", "ejected_at",
  "cooling_until"))
if state ~= "offered" or not pool then return { "stale", state } end
-- All callers have left: the timer of the offer ends the job (expire-job).
if alone_until and now >= tonumber(alone_until) then return { "stale", state } end

if identity == "" then identity = agent_identity end
redis.call("HSET", job_key, "state", "starting", "started_at", now, "updated_at", now, "agent_identity", identity,
  "accepted_epoch", epoch, "attempts", tonumber(attempts or 0) + 1)
-- Neither silent nor refusing; whether it does its work is seen later (includes/ejecting), by its timer on probation.
clear_by_acceptance(session_key, struck, job_key, doubts)
if ejected_at and tonumber(cooling_until) <= now then redis.call("ZADD", deadlines_key, now, "session|" .. session) end
if sticky then remember_taker(sticky, session) end
redis.call("ZADD", session_jobs_key, now, job .. "#" .. epoch)
redis.call("ZADD", deadlines_key, now + start_ms, "job|" .. job)
if somebody_listens() then
  local names, told = { "order", "type", "pool", "room", "room_sid", "wire" }, {}
  for index, value in ipairs(redis.call("HMGET", job_key, unpack(names))) do told[names[index]] = value end
  tell("started", job, told, { state = "starting", session = session, epoch = epoch, started_at = now,
    agent_identity = identity, attempts = tonumber(attempts or 0) + 1 })
end
return { "started", now, identity }
