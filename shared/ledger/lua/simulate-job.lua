-- simulate-job: a worker asked for a job of its own (SimulateJobRequest): no order, and only that session may take it.
-- Needs no look at the index: a namespace with a session does not rest.
-- Dying after it: the guard timer tries the job.
-- @key job job:<job>
-- @key session session:<session>
-- @include queueing
-- @arg job string Job id.
-- @arg session string The session that asked.
-- @arg room string Room name.
-- @arg type string Job type: publisher when a participant was given, else room.
-- @arg room-info string Room message, base64.
-- @arg participant-info string ParticipantInfo message, base64; empty when none.
-- @arg retain-ms int How long the job is kept after it ended.
-- @arg guard-ms int After this time the job is tried if nobody did.
-- @arg wait-ms int How long it may wait for its session.
-- @reply created
-- @reply exists
-- @reply unknown_session

if redis.call("EXISTS", job_key) == 1 then return { "exists" } end
local pool = redis.call("HGET", session_key, "pool")
if not pool then return { "unknown_session" } end
queue_job(job, { order = "", room = room, type = type, pool = pool, room_sid = "", room_info = room_info,
  participant_info = participant_info, only = session, max_attempts = 1 }, retain_ms, guard_ms, wait_ms)
return { "created" }
