-- deregister-session: a worker's socket is gone. The session takes no more work; its offers go back, its jobs are orphans.
-- @key session session:<session>
-- @include losing
-- @arg session string Session id.
-- @arg grace-ms int How long an orphan waits for its worker to come back.
-- @arg guard-ms int After this time a requeued job is tried if nobody did.
-- @reply deregistered requeued:strings orphaned:strings
-- @reply unknown

local gateway = redis.call("HGET", session_key, "gateway")
if not gateway then return { "unknown" } end
local requeued, orphaned = {}, {}
lose_session(session, gateway, grace_ms, guard_ms, requeued, orphaned)
return { "deregistered", requeued, orphaned }
