-- report: a worker says how a job stands (UpdateJobStatus). Counts from the holder. An end that names the newest wire id also
-- counts from another session of the same pool: of an orphan, with its API key, and of the same worker (includes/same-worker), for one that
-- reconnects sends what it queued on its new socket, before its MigrateJobRequest, and maybe before the old socket is known
-- to be gone. From another worker it is refused while the holder is there. Counts also from the session that was lost,
-- should its last word come after it.
-- A job that failed is tried again, or ends (includes/failing); what its holder says of an end also speaks for or against it.
-- A success of a job whose agent nobody saw in its room is doubted where presence is known (includes/unjoined): `checking`,
-- until settle-unjoined decides; the worker's place is free at once.
-- One that runs and whose agent nobody saw is asked about when an agent of its pool has had the longest time to join.
-- Also confirms a stop: the place that the stopped job still held is freed. An end that is repeated is answered the same.
-- @key job job:<job>
-- @key session session:<session>
-- @include stopping
-- @include serving
-- @include holding
-- @include failing
-- @include ejecting
-- @include presence
-- @include unjoined
-- @include joining
-- @include same-worker
-- @arg job string Job id.
-- @arg wire string The id as the worker wrote it.
-- @arg session string The session that reports.
-- @arg status string running | success | failed
-- @arg message string The worker's error text; empty when none.
-- @arg start-ms int How long an agent may take to join its room, at first.
-- @arg cool-ms int How long a session is ejected at first; doubled each time, 5 min at most.
-- @arg early-ms int A job that fails before it ran for so long has failed at once.
-- @reply running
-- @reply retrying serve:string blame:json:shapes.Blame|null due:int
-- @reply ended serve:string blame:json:shapes.Blame|null
-- @reply checking serve:string due:int
-- @reply released serve:string
-- @reply refused reason:string

local field = stop_field(session, wire)
if status ~= "running" and redis.call("HEXISTS", stops_key, field) == 1 then
  local freed = finish_stop(field)
  return { "released", to_serve(freed, freed ~= nil) }
end
local pool = redis.call("HGET", session_key, "pool")
local record = read_job(job)
local holds = record and record.session == session and record.wire == wire
if not pool and not holds then return { "refused", "unknown_session" } end
if not record then return { "refused", "unknown_job" } end
if record.state == "ended" then
  local said = record.cause == "reported" and record.outcome or record.reported
  local same = said == status and record.wire == wire
  if same then return { "ended", to_serve(record.pool, true), "null" } end
  return { "refused", "ended" }
end
if status ~= "running" and record.failed_wire == wire then
  return { "retrying", to_serve(record.pool, true), "null", looked_at(record, tonumber(record.not_before)) }
end
if record.wire ~= wire or not (holds or record.pool == pool) then return { "refused", "held_elsewhere" } end
local is_started = record.state == "starting" or record.state == "running" or record.state == "orphaned"
if not is_started then return { "refused", record.state } end
local function is_theirs()
  if record.state == "orphaned" then return has_key_of_orphan(session, record) end
  return is_same_worker(session, record.session)
end
if not holds and not is_theirs() then return { "refused", "another_worker" } end
if record.reported ~= "" then
  if record.reported ~= status then return { "refused", "ended" } end
  return { "checking", to_serve(record.pool, true), tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. job)) }
end
if status == "success" and must_doubt(record) then
  if pool then redis.call("HSET", session_key, "reports", 1) end
  local got_room, due = doubt_report(job, record, status)
  return { "checking", to_serve(record.pool, got_room), due }
end

-- What failed while its socket was gone, or is told on another one, may have failed for that.
local blame, at_once, others_got_room = nil, false, false
if status ~= "running" and holds and pool and record.state ~= "orphaned" then
  if status == "success" then
    went_well(record)
  else
    blame, at_once, others_got_room = went_wrong(record, now, cool_ms, early_ms)
  end
end
if pool then redis.call("HSET", session_key, "reports", 1) end
if status == "running" then
  if not holds or not pool then
    return { "refused", record.state == "orphaned" and "orphaned" or "held_elsewhere" }
  end
  runs_again(job, record)
  if must_doubt(record) then seek_agent(job, tonumber(record.started_at) + longest_join(start_ms)) end
  return { "running" }
end

if status == "success" or not may_restart(record) then
  local got_room = end_job(job, record, status, "reported", message, false)
  return { "ended", to_serve(record.pool, got_room or others_got_room), cjson.encode(blame) }
end
local got_room, due = retry_job(job, record, "failed", message, wire, false, at_once)
return { "retrying", to_serve(record.pool, got_room or others_got_room), cjson.encode(blame), due }
