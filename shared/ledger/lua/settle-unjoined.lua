-- settle-unjoined: decides on a job whose agent nobody saw in its room, by what presence says of it: one that its worker
-- reported as done (includes/unjoined), one that was accepted and not seen to start by its deadline, or one that its worker
-- says it runs.
-- joined, or unknown: what the worker reported stands; one that is not over is believed to run, and asked about again.
-- never, and somebody waits in the room: the job failed. A reported one is tried again as its order says, after a back-off;
-- one that never started is stopped, and given to the next worker at once. Both are held against the worker.
-- never, and nobody is there: the job is over, and tried by nobody; nothing is held against the worker. One that its worker
-- says it runs goes on: whoever it is for may be called by it.
-- Dying after it: the job is over, or has its timer; a stop is told again with the gateway's next renewal.
-- @key job job:<job>
-- @include stopping
-- @include serving
-- @include failing
-- @include unjoined
-- @arg job string Job id.
-- @arg epoch int The epoch that was asked about.
-- @arg verdict string joined | never | unknown
-- @arg company bool Somebody who is no agent is in the room.
-- @arg recheck-ms int When to ask again about one that may run.
-- @arg silent-ms int How long a worker that was never seen to report is taken to run what it accepted.
-- @arg stop-ms int How long a worker that never started may keep its place.
-- @arg remove-ms int After this time an agent that joins all the same is to be put out of its room; 0 = nobody can.
-- @arg cool-ms int How long a session is ejected at first; doubled each time, 5 min at most.
-- @arg early-ms int A job that fails before it ran for so long has failed at once.
-- @reply ended outcome:string cause:string serve:string blame:json:shapes.Blame|null
-- @reply retrying due:int serve:string blame:json:shapes.Blame|null
-- @reply stopping stop:json:shapes.Stop outcome:string blame:json:shapes.Blame|null
-- @reply kept due:int
-- @reply stale state:string

local record = read_job(job)
if not record then return { "stale", "unknown" } end
local is_reported = record.state == "running" and record.reported ~= ""
local is_unseen = record.state == "running" and record.left_at == "0" and must_doubt(record)
if tonumber(record.epoch) ~= epoch or not (is_reported or is_unseen or record.state == "starting") then
  return { "stale", record.state }
end
local MESSAGE = "the agent never joined its room"

local function finish(outcome, cause, message, blame, others_got_room)
  local got_room = end_job(job, record, outcome, cause, message, false)
  return { "ended", outcome, cause, to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
end

if is_reported then
  if record.participant_sid ~= "" or verdict ~= "never" then
    return { "ended", record.reported, "reported", to_serve(record.pool, believe_report(job, record)), "null" }
  end
  if not company then
    note_outcome(job, record, false, "never_joined")
    return finish("canceled", "never_joined", MESSAGE)
  end
  local blame, others_got_room = strike(record.session, record, "fails_early", cool_ms, early_ms)
  if not may_restart(record) then return finish("failed", "never_joined", MESSAGE, blame, others_got_room) end
  local got_room, due = retry_job(job, record, "never_joined", MESSAGE, record.wire, false, true)
  return { "retrying", due, to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
end

if verdict ~= "never" or (is_unseen and not company) then
  local due = math.min(tonumber(record.started_at) + silent_ms, now + recheck_ms)
  if is_unseen then due = verdict == "joined" and now + silent_ms or now + recheck_ms end
  set_timer("job|" .. job, due)
  return { "kept", due }
end
local remove_at = remove_ms > 0 and now + remove_ms or nil
local stop = cjson.encode(add_stop(job, record, "the job was never seen to start", now + stop_ms, remove_at))
if not company then
  note_outcome(job, record, false, "never_joined")
  end_job(job, record, "canceled", "never_joined", MESSAGE, true)
  return { "stopping", stop, "canceled", "null" }
end
local blame = strike(record.session, record, "never_starts", cool_ms, early_ms)
local outcome = ""
if tonumber(record.attempts) >= tonumber(record.max_attempts) then
  outcome = "failed"
  end_job(job, record, outcome, "never_started", "no worker started the job", true)
else
  note_outcome(job, record, false, "never_started")
  requeue_started(job, record, now)
  exclude(job, record, record.session)
  tell_redispatched(job, record, "never_started", {})
end
return { "stopping", stop, outcome, cjson.encode(blame) }
