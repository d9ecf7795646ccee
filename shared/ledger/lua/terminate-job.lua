-- terminate-job: somebody wants the job over. Ends it, and writes down whom to tell, until it was told.
-- Dying after it: the stop is told with the gateway's next renewal.
-- @key job job:<job>
-- @include stopping
-- @include serving
-- @arg job string Job id.
-- @arg cause string Why, in one word.
-- @arg reason string For people; kept as the job's error.
-- @arg stop-ms int How long the worker's place stays taken when it does not confirm.
-- @arg remove-ms int After this time its agent, when it is still in its room, is to be put out of it; 0 = nobody can.
-- @reply terminated stop:json:shapes.Stop|null serve:string
-- @reply final outcome:string
-- @reply unknown

local record = read_job(job)
if not record then return { "unknown" } end
if record.state == "ended" then return { "final", record.outcome } end
local stop, got_room = terminate_job(job, record, cause, reason, now + stop_ms, remove_ms)
return { "terminated", stop and cjson.encode(stop) or "null", to_serve(record.pool, got_room) }
