-- settle-orphan: decides on an orphan, by what LiveKit says of its participant: absent, present or unknown.
-- absent: resumed at once. An agent that was never seen to join may still be on its way in, whatever its worker says of the
-- job: until the start deadline its absence is no evidence, and it is asked again then. present: it lives; asked again
-- after recheck-ms. unknown: waited for until the grace is over, then resumed if its session was known to report (it
-- would have come back) or `resume-unproven`; else kept. While the guard is up nothing is resumed for want of
-- knowledge, nor within recheck-ms after: the last ones are still on their way back.
-- Nothing is kept longer than silent-ms: then it ended as unknown.
-- A job whose agent was seen to leave of its own will ended well, whatever became of its worker.
-- Where everybody left whom it was for, it is not resumed: it ended well, as with its room.
-- A job that is not to be resumed (restart policy `never`, or simulated: nobody else can take it) ends as failed, since
-- a lost worker is a failure. Resuming is no attempt: what its start had counted is taken back.
-- An agent whose job ends although it may live on is looked for in its room and put out, where somebody can (remove-ms).
-- Not so one that is given up after silent-ms: nobody asked for its end, and it may be talking to somebody.
-- Dying after it: a resumed job is due, at once or after remove-ms; one that is kept has its timer.
-- @key job job:<job>
-- @include stopping
-- @include guarding
-- @include serving
-- @include joining
-- @arg job string Job id.
-- @arg epoch int The epoch that was asked about.
-- @arg verdict string absent | present | unknown
-- @arg resume-unproven bool Whether a worker that never reports is taken for dead when its grace is over.
-- @arg deserted bool Somebody was in its room, and nobody but agents is any more.
-- @arg remove-ms int So long the caller keeps a resumed job to itself, to put an agent that may be there out of the room; 0 = nobody can.
-- @arg stop-ms int How long the agent of a job that ended is looked for.
-- @arg recheck-ms int When to ask again.
-- @arg start-ms int How long an agent may take to join its room, at first.
-- @arg silent-ms int How long an orphan is kept at most, from its loss.
-- @reply resumed serve:string
-- @reply kept due:int guard:int
-- @reply ended outcome:string serve:string
-- @reply stale state:string

local record = read_job(job)
if not record then return { "stale", "unknown" } end
if record.state ~= "orphaned" or tonumber(record.epoch) ~= epoch then
  -- Repeated: what was decided then.
  local waits = record.state == "queued" or record.state == "parked"
  if waits and tonumber(record.resumed_epoch) == epoch then return { "resumed", to_serve(record.pool, true) } end
  return { "stale", record.state }
end

local function finish(outcome, cause, message, may_be_there)
  local is_stopped = may_be_there and remove_ms > 0 and record.agent_identity ~= ""
  if is_stopped then stop_orphan(job, record, message, now + stop_ms, now) end
  local got_room = end_job(job, record, outcome, cause, message, is_stopped)
  return { "ended", outcome, to_serve(record.pool, got_room) }
end

local function resume()
  if deserted then return finish("success", "nobody_left", "", true) end
  if guarded_until(record) <= now then note_outcome(job, record, false, "worker_lost") end
  if policy_for(record) ~= "on_failure" then return finish("failed", "worker_lost", "the worker was lost", true) end
  forget_orphan(job, record)
  local got_room = release(job, record)
  requeue_started(job, record, verdict == "absent" and now or now + remove_ms)
  forget_refusals(job, record)
  redis.call("HSET", job_key, "resumed_at", now, "resumed_epoch", epoch)
  redis.call("HINCRBY", job_key, "attempts", -1)
  tell_redispatched(job, record, "worker_lost", { attempts = tonumber(record.attempts) - 1 })
  if redis.call("EXISTS", session_of(record.session)) == 1 then exclude(job, record, record.session) end
  return { "resumed", to_serve(record.pool, got_room) }
end

local guard_ends = guarded_until(record)
local bound = tonumber(record.orphaned_at) + silent_ms
-- What is waited for because of the guard does not use the job's time up: it may still be resumed after it.
if guard_ends > tonumber(record.orphaned_at) then bound = math.max(bound, guard_ends + 2 * recheck_ms) end
local function keep(due, guard)
  if now >= bound then return finish("unknown", "worker_lost", "the worker was lost and did not come back") end
  due = math.min(due, bound)
  set_timer("job|" .. job, due)
  return { "kept", due, guard }
end

-- Its agent left of its own will before, or while, the worker was lost: it had done its work.
if verdict ~= "present" and record.left_how == "clean" then return finish("success", "agent_left", "") end
if verdict == "absent" then
  local unseen_until = tonumber(record.unseen_until)
  if record.participant_sid == "" then unseen_until = math.max(unseen_until, join_deadline(record, start_ms)) end
  if now < unseen_until then return keep(unseen_until, 0) end
  return resume()
end
if verdict == "present" then
  -- Should nobody know from now on, it is waited for as after a loss.
  local grace_ends = math.max(tonumber(record.grace_until), now + recheck_ms)
  redis.call("HSET", job_key, "grace_until", string.format("%.0f", grace_ends))
  return keep(now + recheck_ms, 0)
end
if now < guard_ends then return keep(math.min(guard_ends, now + recheck_ms), 1) end
local grace_ends = tonumber(record.grace_until)
if guard_ends > tonumber(record.orphaned_at) then grace_ends = math.max(grace_ends, guard_ends + recheck_ms) end
if now < grace_ends then return keep(grace_ends, 0) end
if record.holder_reports == "1" or resume_unproven then return resume() end
return keep(now + recheck_ms, 0)
