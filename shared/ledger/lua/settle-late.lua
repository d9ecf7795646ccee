-- settle-late: what came of an offer that was taken back as slow (reject). `yes` or `no`: the session is alive, may be offered
-- work again, and it and its pool get at least `answer-ms` for their next answers. A `yes` is taken when the job still waits
-- under the same epoch, so that nobody was asked since, and the session has room; then the gateway sends the assignment.
-- `none`: no answer in the longest time that is given: that is silence, held against the session, and said of the attempt.
-- Repeated: the same answer. Dying before it: the session's timer ends its wait. Dying after it: as after accept.
-- @key job job:<job>
-- @key deadlines deadlines
-- @include claiming
-- @include serving
-- @include answering
-- @include ejecting
-- @include clearing
-- @include splitting
-- @include sticking
-- @arg job string Job id.
-- @arg session string The session that was asked.
-- @arg epoch int Epoch of the offer.
-- @arg offered-at int When it was offered, by the ledger's clock.
-- @arg answer string yes | no | none
-- @arg answer-ms int How long the session needs to answer, as its gateway saw it; 0 with `none`.
-- @arg agent-identity string With `yes`: identity of the participant that the agent will be; the first one stays.
-- @arg start-ms int Time in which the job must be seen to run.
-- @arg cool-ms int How long a session is ejected at first; doubled each time, 5 min at most.
-- @reply started started-at:int agent-identity:string serve:string
-- @reply noted state:string serve:string blame:json:shapes.Blame|null

local record = read_job(job)
local state = record and record.state or "unknown"
local is_same = record and tonumber(record.epoch) == epoch
if is_same and record.session == session and (state == "starting" or state == "running") then
  return { "started", record.started_at, record.agent_identity, "" }
end
local pool, own_ms, struck = unpack(redis.call("HMGET", session_of(session), "pool", "answer_ms", "struck"))
if not pool then return { "noted", state, "", "null" } end
local is_theirs = is_same and (state == "queued" or state == "parked") and record.late_by == session

if answer == "none" then
  amend_attempt(job, session, epoch, "slow", "silent")
  -- Whoever took the job since shows that it can be taken.
  local is_open = record and state ~= "ended" and tonumber(record.accepted_epoch) < epoch
  local offered = is_open and record or { id = job, order = record and record.order or "", room = record and record.room or "",
    suspect_at = "0", is_cleared = true }
  offered.offered_at = offered_at
  local blame, got_room = strike(session, offered, "silent", cool_ms, 0)
  if is_theirs and record.split_state == "placed" then note_outcome(job, record, false, "silent") end
  return { "noted", state, to_serve(pool, got_room), cjson.encode(blame) }
end

lengthen_answer(session, pool, tonumber(own_ms), answer_ms)
end_late_wait(session)
local has_room = place(session)
-- One that says FULL can say so of the very place that it kept for this job; our own bounds hold all the same.
if answer == "no" or not is_theirs or record.pool ~= pool or not order_to_serve(record)
  or now >= tonumber(record.wait_until) or measure(session, true).verdict ~= "room" then
  return { "noted", state, to_serve(pool, has_room), "null" }
end

close_attempt(job, record, "parked")
if state == "parked" then
  redis.call("ZREM", parked_of(pool), job)
  place_given(pool)
end
local identity = record.agent_identity ~= "" and record.agent_identity or agent_identity
local attempts = tonumber(record.attempts) + 1
local gateway = redis.call("HGET", session_of(session), "gateway")
redis.call("HDEL", job_key, "refused_epoch", "late_by", "excluded")
redis.call("HSET", job_key, "state", "starting", "session", session, "gateway", gateway, "started_at", now, "updated_at", now,
  "agent_identity", identity, "accepted_epoch", epoch, "attempts", attempts)
clear_by_acceptance(session_of(session), struck, job_key, record.doubts ~= "" and record.doubts)
if record.sticky ~= "0" then remember_taker(record.sticky, session) end
redis.call("ZADD", session_jobs_of(session), now, reservation(job, epoch))
set_timer("job|" .. job, now + start_ms)
has_room = place(session)
tell("started", job, record, { state = "starting", session = session, epoch = epoch, started_at = now,
  agent_identity = identity, attempts = attempts })
return { "started", now, identity, to_serve(pool, has_room) }
