-- expire-gateway: a gateway's lease in this namespace has ended: its sockets are taken for gone, some sessions a call.
-- A lease that ended while we ourselves were away (before awake-since-ms) is given hold-ms to be asserted again.
-- `serve`: pools where jobs wait and somebody else has room; the dead sessions may have stood before them.
-- Dying after it: the lease is still due while sessions are left; requeued jobs and orphans have their timers.
-- @key gateways gateways
-- @key gateway-sessions gateway-sessions:<gateway>
-- @include losing
-- @include serving
-- @arg gateway string Node id of the gateway.
-- @arg grace-ms int How long an orphan waits for its worker to come back.
-- @arg guard-ms int After this time a requeued job is tried if nobody did.
-- @arg awake-since-ms int Since when the caller, and Redis as it saw it, were there without a gap.
-- @arg hold-ms int How long after a gap nothing is swept.
-- @arg limit int Sessions taken in one call, at most.
-- @reply lost sessions:int requeued:strings orphaned:strings more:int serve:strings guard:int
-- @reply idle

local lease = tonumber(redis.call("ZSCORE", gateways_key, gateway) or 0)
if lease > now then return { "idle" } end
local held_until = awake_since_ms + hold_ms
if lease < awake_since_ms and now < held_until then
  if lease > 0 then set_timer("gateway|" .. gateway, held_until) end
  return { "idle" }
end
local fates, serve = no_fates(), {}
local sessions = redis.call("SRANDMEMBER", gateway_sessions_key, limit)
for _, id in ipairs(sessions) do
  local pool = miss_session(id, gateway, grace_ms, guard_ms, fates)
  also_serve(serve, pool, pool ~= nil and pool_has_room(pool))
end
local left = redis.call("SCARD", gateway_sessions_key)
if left == 0 then
  redis.call("ZREM", gateways_key, gateway)
  redis.call("ZREM", deadlines_key, "gateway|" .. gateway)
end
return { "lost", #sessions, fates.requeued, fates.orphaned, left > 0 and 1 or 0, serve, fates.guard }
