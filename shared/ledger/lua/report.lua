-- report: a worker says how a job stands (UpdateJobStatus). Counts from the holder, and for an orphan from any session
-- of the same pool: a reconnected worker sends what it queued on its new socket, before its MigrateJobRequest.
-- Also confirms a stop: the place that the stopped job still held is freed. An end that is repeated is answered the same.
-- @key job job:<job>
-- @key session session:<session>
-- @include stopping
-- @include serving
-- @include holding
-- @arg job string Job id.
-- @arg wire string The id as the worker wrote it.
-- @arg session string The session that reports.
-- @arg status string running | success | failed
-- @arg message string The worker's error text; empty when none.
-- @reply running
-- @reply ended serve:string
-- @reply released serve:string
-- @reply refused reason:string

local pool = redis.call("HGET", session_key, "pool")
if not pool then return { "refused", "unknown_session" } end
local field = stop_field(session, wire)
if status ~= "running" and redis.call("HEXISTS", stops_key, field) == 1 then
  local freed = finish_stop(field)
  return { "released", to_serve(freed, freed ~= nil) }
end
local record = read_hash(job_key)
if not record then return { "refused", "unknown_job" } end
if record.state == "ended" then
  local same = record.cause == "reported" and record.outcome == status and record.wire == wire
  if same then return { "ended", to_serve(pool, true) } end
  return { "refused", "ended" }
end
local holds = record.session == session and record.wire == wire
local adopts = record.state == "orphaned" and record.wire == wire and record.pool == pool
if not holds and not adopts then return { "refused", "held_elsewhere" } end
if record.state ~= "starting" and record.state ~= "running" and not adopts then return { "refused", record.state } end

if status == "running" then
  if not holds then return { "refused", "orphaned" } end
  redis.call("HSET", session_key, "reports", 1)
  if record.state == "starting" then redis.call("HSET", job_key, "running_at", now) end
  runs_again(job)
  return { "running" }
end
redis.call("HSET", session_key, "reports", 1)
return { "ended", to_serve(record.pool, end_job(job, record, status, "reported", message, false)) }
