-- expire-job: the timer of a job is due: its offer, its start, its back-off, its fallback step, its waiting time, its
-- grace. What it means is read off the job's state; a timer that was moved meanwhile is left alone.
-- A running job has one only since its agent left the room, or while nobody saw it there though presence is known. When LiveKit says that the agent failed, so has the job: its
-- caller waits. Else a worker that reports is waited for, since its shutdown hooks may run on, and one that does not has
-- done its work.
-- `unjoined`: ask presence for an agent that nobody saw in its room, and call settle-unjoined; the timer comes again after
-- guard-ms.
-- `orphaned`: ask LiveKit for its participant and call settle-orphan; the timer comes again after guard-ms.
-- `superseded`: that this one got its own worker showed that earlier jobs are over (includes/superseding).
-- Dying after it: every job that still lives has a timer; a stop is told again with the gateway's next renewal.
-- @key job job:<job>
-- @include stopping
-- @include serving
-- @include failing
-- @include ejecting
-- @include unjoined
-- @include joining
-- @include superseding
-- @include presence
-- @include falling-back
-- @include suspending
-- @include siding
-- @include leaving
-- @include waking
-- @arg job string Job id.
-- @arg guard-ms int After this time a queued job is tried again if nobody did.
-- @arg grace-ms int How long an orphan waits for its worker, from now, when its grace ended in a gap of ours.
-- @arg stop-ms int How long a worker that never started may keep its place.
-- @arg start-ms int How long an agent may take to join its room, at first.
-- @arg silent-ms int How long a worker that was never seen to report is taken to run what it accepted.
-- @arg report-ms int How long a worker that reports is waited for after its agent left the room.
-- @arg cool-ms int How long a session is ejected at first; doubled each time, 5 min at most.
-- @arg early-ms int A job that fails before it ran for so long has failed at once.
-- @arg awake-since-ms int Since when the caller, and Redis as it saw it, were there without a gap.
-- @reply requeued serve:string
-- @reply retrying stop:json:shapes.Stop blame:json:shapes.Blame|null
-- @reply stopping stop:json:shapes.Stop|null outcome:string blame:json:shapes.Blame|null
-- @reply unjoined epoch:int
-- @reply orphaned epoch:int
-- @reply superseded serve:string count:int
-- @reply fell_back
-- @reply ended outcome:string serve:string blame:json:shapes.Blame|null
-- @reply idle

local due = tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. job))
if not due or due > now then return { "idle" } end
local record = read_job(job)
local state = record and record.state or "ended"
local is_unseen = state == "running" and record.left_at == "0"
if state == "ended" or (is_unseen and not must_doubt(record)) then
  redis.call("ZREM", deadlines_key, "job|" .. job)
  return { "idle" }
end
if is_unseen then
  set_timer("job|" .. job, now + guard_ms)
  return { "unjoined", record.epoch }
end

if state == "running" and record.reported ~= "" then
  if record.participant_sid ~= "" then
    local got_room = believe_report(job, record)
    return { "ended", record.reported, to_serve(record.pool, got_room), "null" }
  end
  set_timer("job|" .. job, now + guard_ms)
  return { "unjoined", record.epoch }
end

if state == "running" then
  local report_until = tonumber(record.left_at) + report_ms
  local reports = redis.call("HGET", session_of(record.session), "reports") == "1"
  if reports and record.left_how ~= "failed" and now < report_until then
    set_timer("job|" .. job, report_until)
    return { "idle" }
  end
  local message = "the agent left the room without meaning to"
  local blame, at_once, others_got_room = nil, false, false
  if record.left_how == "failed" then
    blame, at_once, others_got_room = went_wrong(record, tonumber(record.left_at), cool_ms, early_ms)
  else
    went_well(record)
  end
  if record.left_how == "failed" and may_restart(record) then
    -- Its process may live on without the room.
    local stop = add_stop(job, record, message, now + stop_ms)
    retry_job(job, record, "agent_left", message, record.wire, true, at_once)
    return { "retrying", cjson.encode(stop), cjson.encode(blame) }
  end
  local outcome = record.left_how == "failed" and "failed" or "success"
  local got_room = end_job(job, record, outcome, "agent_left", outcome == "failed" and message or "", false)
  return { "ended", outcome, to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
end

if is_left_alone(record) and (state == "queued" or state == "parked" or state == "offered") then
  return { "ended", "canceled", to_serve(record.pool, end_left_job(job, record)), "null" }
end

-- Not an answer by the offer's deadline: the gateway that asked is gone or late. Nobody is blamed.
if state == "offered" then
  local got_room = release(job, record)
  requeue(job, now + guard_ms)
  close_attempt(job, record, "unanswered")
  tell("rejected", job, record, { state = "queued", reason = "unanswered" })
  return { "requeued", to_serve(record.pool, got_room) }
end

-- Accepted and never seen to run: stop it there, then try the next worker, which is due at once. A worker that never
-- reports has not failed to: it is believed for long, unless presence knows better.
if state == "starting" then
  local reports = redis.call("HGET", session_of(record.session), "reports") == "1"
  local silent_until = tonumber(record.started_at) + silent_ms
  if not reports and now < silent_until then
    local asks = record.agent_identity ~= "" and presence_is_known()
    local joins_by = asks and join_deadline(record, start_ms) or now
    if now < joins_by then
      set_timer("job|" .. job, joins_by)
      return { "idle" }
    end
    if record.unseen_until == "0" then redis.call("HSET", job_key, "unseen_until", now) end
    if asks then
      set_timer("job|" .. job, now + guard_ms)
      return { "unjoined", record.epoch }
    end
    set_timer("job|" .. job, silent_until)
    local count, got_room_in = supersede(job, record)
    note_unheard(job, record, silent_ms)
    if count > 0 then return { "superseded", to_serve(got_room_in, got_room_in ~= ""), count } end
    return { "idle" }
  end
  local stop = cjson.encode(add_stop(job, record, "the job was never seen to start", now + stop_ms))
  local blame = reports and strike(record.session, record, "never_starts", cool_ms, early_ms) or nil
  local outcome = ""
  if not reports then
    outcome = "unknown"
    end_job(job, record, outcome, "never_seen", "the worker never said how the job went", true)
  elseif tonumber(record.attempts) >= tonumber(record.max_attempts) then
    outcome = "failed"
    end_job(job, record, outcome, "never_started", "no worker started the job", true)
  else
    note_outcome(job, record, false, "never_started")
    requeue_started(job, record, now)
    exclude(job, record, record.session)
    tell_redispatched(job, record, "never_started", {})
  end
  return { "stopping", stop, outcome, cjson.encode(blame) }
end

if state == "orphaned" then
  if due < awake_since_ms then
    redis.call("HSET", job_key, "grace_until", string.format("%.0f", now + grace_ms))
    set_timer("job|" .. job, now + grace_ms)
    return { "idle" }
  end
  set_timer("job|" .. job, now + guard_ms)
  return { "orphaned", record.epoch }
end

-- The deletion of an order with many jobs stopped half-way.
local order_state, is_on_hold = nil, nil
if record.order ~= "" then
  order_state, is_on_hold = unpack(redis.call("HMGET", order_of(record.order), "state", "held"))
  if order_state ~= "live" then
    end_job(job, record, "canceled", "order_deleted", "the work order was deleted", false)
    return { "ended", "canceled", "", "null" }
  end
end
if is_on_hold then
  if record.held == "1" then look_later(job) else suspend(job, record) end
  return { "idle" }
end
-- So did its release. Whoever fires its timer hosts the namespace, and has listed it.
if record.held == "1" then
  let_go(job, record)
  stay_awake()
  state = "queued"
end
if now >= tonumber(record.wait_until) then
  end_job(job, record, "expired", "waited_too_long", "no worker took the job in time", false)
  return { "ended", "expired", "", "null" }
end
-- A job that was not tried yet is tried where it stands first.
local step_due = state == "parked" and fallback_due(record)
if step_due and now >= step_due then
  fall_back(job, record)
  requeue(job, now + guard_ms)
  return { "fell_back" }
end
-- Placed by a split, and still where it should be.
if state == "parked" and is_only_looked_at(record, due) and stands_well(record) then
  set_timer("job|" .. job, next_look(record))
  return { "idle" }
end
-- Back-off over: those who refused may be asked again. Or nobody tried it: they stay excluded.
if state == "parked" then
  redis.call("HDEL", job_key, "excluded")
  redis.call("ZREM", parked_of(record.pool), job)
end
requeue(job, math.max(now + guard_ms, tonumber(record.not_before)))
return { "requeued", "" }
