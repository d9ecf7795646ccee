-- deregister-session: a worker's socket is gone. The session takes no more work; its offers go back, its jobs are orphans.
-- `goodbye`: the worker closed it cleanly after it was seen draining. It has finished what it had: its jobs end well.
-- `clean`: it closed it itself. When it had nothing to do, it did not vanish, and is not counted among those who did.
-- A drain of this worker alone ends with it.
-- Dying after it: requeued jobs have their guard timers, orphans their graces; whoever looks at them asks for presence.
-- @key session session:<session>
-- @include losing
-- @include serving
-- @arg session string Session id.
-- @arg goodbye bool The worker closed the socket itself (1000, 1001 or 1005) after it said that it drains.
-- @arg clean bool The worker closed the socket itself, by the same codes.
-- @arg grace-ms int How long an orphan waits for its worker to come back.
-- @arg guard-ms int After this time a requeued job is tried if nobody did.
-- @reply deregistered requeued:strings orphaned:strings ended:strings serve:strings guard:int
-- @reply unknown

local gateway = redis.call("HGET", session_key, "gateway")
if not gateway then return { "unknown" } end
end_drain_of_worker(session)
local fates, serve = no_fates(), {}
local pool, lost = lose_session(session, gateway, grace_ms, guard_ms, goodbye, fates)
local is_missed = pool and not goodbye and not (clean and #fates.orphaned == 0)
if is_missed and count_loss(session, lost) then fates.guard = 1 end
also_serve(serve, pool, pool_has_room(pool))
return { "deregistered", fates.requeued, fates.orphaned, fates.ended, serve, fates.guard }
