-- reject: an offer came to nothing: the worker said no, said nothing, or could not be asked. Frees the reservation and
-- sends the job back, past this session; with `terminate` the job ends as success, as the protocol has it.
-- `slow`: no answer in the time that was given, and the worker may still answer. Where its pool is known to need longer, the
-- offer stays open for so long (`extended`). Else the job goes on, and the session gets no offers until it answers (settle-late)
-- or `late-ms` is over; nothing is held against it.
-- Only the gateway that wrote the offer to a live socket may say `slow` or `silent`. Silence, and refusals in a row, are held against the
-- session (includes/ejecting); one with `terminate` is an answer like another.
-- Repeated: the same answer. Dying after it: the guard timer tries the job.
-- @key job job:<job>
-- @include serving
-- @include answering
-- @include ejecting
-- @include blaming
-- @include ending
-- @arg job string Job id.
-- @arg session string The session that was asked.
-- @arg epoch int Epoch of the offer.
-- @arg reason string rejected | slow | silent | undelivered
-- @arg terminate bool The worker asked that nobody else is asked either.
-- @arg cool-ms int How long a session is ejected at first; doubled each time, 5 min at most.
-- @arg guard-ms int After this time the job is tried again if nobody did.
-- @arg late-ms int Of `slow`: for how long, from now, an answer still counts; else 0.
-- @reply extended answer-ms:int
-- @reply requeued serve:string blame:json:shapes.Blame|null
-- @reply ended serve:string blame:json:shapes.Blame|null
-- @reply stale state:string

local record = read_job(job)
if not record then return { "stale", "unknown" } end
if tonumber(record.epoch) == epoch and tonumber(record.refused_epoch) == epoch then
  return { record.state == "ended" and "ended" or "requeued", to_serve(record.pool, true), "null" }
end
if record.state ~= "offered" or record.session ~= session or tonumber(record.epoch) ~= epoch then
  return { "stale", record.state }
end

if reason == "slow" then
  local waited = now - tonumber(record.offered_at)
  local longer = math.min(taught_answer_ms(record.pool), waited + late_ms)
  if longer > waited then
    redis.call("HSET", session_of(session), "answer_ms", longer)
    set_timer("job|" .. job, record.offered_at + longer + ANSWER_MARGIN_MS)
    return { "extended", longer }
  end
end
redis.call("HSET", job_key, "refused_epoch", epoch)
local blame, others_got_room = nil, false
if reason == "silent" then blame, others_got_room = strike(session, record, "silent", cool_ms, 0) end
if reason == "rejected" and not terminate then
  blame, others_got_room = strike(session, record, "rejects", cool_ms, 0)
end
tell("rejected", job, record, { state = terminate and "ended" or "queued", reason = reason,
  outcome = terminate and "success" or "" })
if terminate then
  local got_room = end_job(job, record, "success", "terminated_by_worker", "", false)
  return { "ended", to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
end
-- Whatever the reason: one that could not be asked is gone or about to be. Exclusions end with the next back-off.
exclude(job, record, session)
if reason == "rejected" and was_given_some(session) then redis.call("HSET", job_key, "met_full", 1) end
note_refusal(job, record, reason)
if reason == "slow" then
  redis.call("HSET", job_key, "late_by", session)
  -- It is the job that hangs there, where the session took another one since; it is not waited for then.
  if took_another(session, record, record.offered_at) then doubt_job(record, session, "silent") end
  if record.suspect_at == "0" then await_late_answer(session, now + late_ms) end
end
local got_room = release(job, record)
close_attempt(job, record, reason)
requeue(job, now + guard_ms)
return { "requeued", to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
