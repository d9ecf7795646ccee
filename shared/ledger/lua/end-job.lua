-- end-job: ends a job on evidence from outside the worker's socket: its room is over, its participant left.
-- Dying after it: the job is over; room that nobody was told of is named again with the next sample.
-- @key job job:<job>
-- @include ending
-- @include serving
-- @arg job string Job id.
-- @arg outcome string success | failed | expired | canceled | unknown
-- @arg cause string Why, one word; kept with the job.
-- @arg message string Error text for people; empty when none.
-- @reply ended serve:string
-- @reply final outcome:string
-- @reply unknown

local record = read_job(job)
if not record then return { "unknown" } end
if record.state == "ended" then return { "final", record.outcome } end
return { "ended", to_serve(record.pool, end_job(job, record, outcome, cause, message, false)) }
