-- reject: an offer came to nothing: the worker said no, said nothing, or could not be asked. Frees the reservation and
-- sends the job back, past this session; with `terminate` the job ends as success, as the protocol has it.
-- Only the gateway that wrote the offer to a live socket may say `silent`: the session then cools down, longer each time.
-- Repeated: the same answer. Dying after it: the guard timer tries the job.
-- @key job job:<job>
-- @key session session:<session>
-- @include serving
-- @include ending
-- @arg job string Job id.
-- @arg session string The session that was asked.
-- @arg epoch int Epoch of the offer.
-- @arg reason string rejected | silent | undelivered
-- @arg terminate bool The worker asked that nobody else is asked either.
-- @arg cool-ms int Cool-down after the first silence; doubled with each more, 5 min at most.
-- @arg guard-ms int After this time the job is tried again if nobody did.
-- @reply requeued serve:string
-- @reply ended serve:string
-- @reply stale state:string

local record = read_job(job)
if not record then return { "stale", "unknown" } end
if tonumber(record.epoch) == epoch and tonumber(record.refused_epoch) == epoch then
  return { record.state == "ended" and "ended" or "requeued", to_serve(record.pool, true) }
end
if record.state ~= "offered" or record.session ~= session or tonumber(record.epoch) ~= epoch then
  return { "stale", record.state }
end

redis.call("HSET", job_key, "refused_epoch", epoch)
if reason == "silent" and redis.call("EXISTS", session_key) == 1 then
  local silences = redis.call("HINCRBY", session_key, "silences", 1)
  local until_ms = now + math.min(300000, cool_ms * 2 ^ math.min(10, silences - 1))
  redis.call("HSET", session_key, "cooling_until", until_ms)
  set_timer("session|" .. session, until_ms)
end
tell("rejected", job, record, { state = terminate and "ended" or "queued", reason = reason,
  outcome = terminate and "success" or "" })
if terminate then
  local got_room = end_job(job, record, "success", "terminated_by_worker", "", false)
  return { "ended", to_serve(record.pool, got_room) }
end
-- Whatever the reason: one that could not be asked is gone or about to be. Exclusions end with the next back-off.
exclude(job, record, session)
local got_room = release(job, record)
close_attempt(job, record, reason)
requeue(job, now + guard_ms)
return { "requeued", to_serve(record.pool, got_room) }
