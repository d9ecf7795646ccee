-- Adds or refreshes one node's lease and tells who else is live.
--
-- KEYS  1 leases      sorted set: node id by expiry (ms of Redis time)
--       2 generation  string: random value that names this life of this Redis
-- ARGV  1 node id
--       2 lease ms
--       3 drop after ms       leases that ended longer ago are removed
--       4 new generation      proposed by the caller, taken only when one is needed
--       5 known generation    what the caller was told last; "" at first
--       6 known expiry        the expiry the caller was told last; "0" at first
-- Reply { "renewed", now ms, expiry ms, "1" when the old lease had ended else "0", generation, id, expiry ms, id, … }
--
-- Atomic so that the answer is one moment's truth. Redis that lost a write it had confirmed (flushed, or rolled back to
-- an older state by a restart or failover) is told by our own last renewal being gone or older than we were told; it
-- gets a new generation. Only the caller that still knows the current one may do so, else every node would.

local leases, generation_key = KEYS[1], KEYS[2]
local node, lease_ms, drop_after_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local new_generation, known_generation, known_expiry = ARGV[4], ARGV[5], tonumber(ARGV[6])

local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local held = tonumber(redis.call("ZSCORE", leases, node) or nil)
local generation = redis.call("GET", generation_key)

local lost = false
if known_expiry > 0 then
  -- A lease that ended long ago may have been dropped by any node: its absence proves nothing then.
  if held then lost = held < known_expiry else lost = now < known_expiry + drop_after_ms end
end
if not generation or (lost and generation == known_generation) then
  generation = new_generation
  redis.call("SET", generation_key, generation)
end

local expiry = now + lease_ms
redis.call("ZADD", leases, string.format("%.0f", expiry), node)
redis.call("ZREMRANGEBYSCORE", leases, "-inf", string.format("%.0f", now - drop_after_ms))

local lapsed = known_expiry > 0 and (not held or held <= now)
local reply = { "renewed", string.format("%.0f", now), string.format("%.0f", expiry), lapsed and "1" or "0", generation }
for _, part in ipairs(redis.call("ZRANGEBYSCORE", leases, "(" .. string.format("%.0f", now), "+inf", "WITHSCORES")) do
  reply[#reply + 1] = part
end
return reply
