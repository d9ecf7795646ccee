-- expire-gateway: a gateway's lease in this namespace has ended: its sockets are taken for gone, some sessions a call.
-- `serve`: pools where jobs wait and somebody else has room; the dead sessions may have stood before them.
-- @key gateways gateways
-- @key gateway-sessions gateway-sessions:<gateway>
-- @include losing
-- @include serving
-- @arg gateway string Node id of the gateway.
-- @arg grace-ms int How long an orphan waits for its worker to come back.
-- @arg guard-ms int After this time a requeued job is tried if nobody did.
-- @arg limit int Sessions taken in one call, at most.
-- @reply lost sessions:int requeued:strings orphaned:strings more:int serve:strings
-- @reply idle

local lease = tonumber(redis.call("ZSCORE", gateways_key, gateway) or 0)
if lease > now then return { "idle" } end
local requeued, orphaned, serve = {}, {}, {}
local sessions = redis.call("SRANDMEMBER", gateway_sessions_key, limit)
for _, id in ipairs(sessions) do
  local pool = lose_session(id, gateway, grace_ms, guard_ms, requeued, orphaned)
  also_serve(serve, pool, pool ~= nil and redis.call("ZCARD", pool_of(pool)) > 0)
end
local left = redis.call("SCARD", gateway_sessions_key)
if left == 0 then
  redis.call("ZREM", gateways_key, gateway)
  redis.call("ZREM", deadlines_key, "gateway|" .. gateway)
end
return { "lost", #sessions, requeued, orphaned, left > 0 and 1 or 0, serve }
