-- Says that one process is there and of which schema it is, unless that may not be; and tells who else is there.
--
-- KEYS  1 builds      hash: node id to what its process is, as JSON: { writes, livesWith, … }
--       2 claims      sorted set: node id by the end of its claim (ms of Redis time)
--       3 schema      hash: "oldest" schema that may run here, "newest" that ever did
--       4 gateways    leases, as renew-lease has them
--       5 dispatchers leases, likewise
-- ARGV  1 writes
--       2 lives with
--       3 build          the process, as JSON, for the hash
--       4 claim ms
--       5 drop after ms  claims that ended longer ago are forgotten
--       6 "1" when this process holds its claim already: a neighbour then keeps it from nothing
--       7 … its node ids, one or more
-- Reply { "claimed", oldest, newest, node id, build, "1" when the two cannot live together else "0", node id, … }
--       { "beside", oldest, newest, … }  a neighbour that lives cannot live with it; nothing was written
--       { "older", oldest, newest }      what was written here is beyond it; nothing was written
--
-- Atomic so that of two who cannot live together and come at once, one does. A node that has a lease and never claimed is
-- of a build from before there were claims: schema 1. The oldest schema that may run is that which the newest lives
-- with: it goes up when a build first claims that an older one could not follow, so never while such an older one lives.

local builds, claims, schema = KEYS[1], KEYS[2], KEYS[3]
local writes, lives_with, build = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local claim_ms, drop_after_ms, holds = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == "1"

local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local after_now = "(" .. string.format("%.0f", now)

local own = {}
for at = 7, #ARGV do own[ARGV[at]] = true end

local known = {}
local flat = redis.call("HGETALL", builds)
for at = 1, #flat, 2 do known[flat[at]] = flat[at + 1] end

local live = {}
for at, key in ipairs({ claims, KEYS[4], KEYS[5] }) do
  for _, node in ipairs(redis.call("ZRANGEBYSCORE", key, after_now, "+inf")) do
    if not own[node] then live[node] = known[node] or "{}" end
  end
end

local stored = redis.call("HMGET", schema, "oldest", "newest")
local oldest, newest = tonumber(stored[1] or 1), tonumber(stored[2] or 1)
local reply = { "claimed", oldest, newest }

if oldest > writes then
  reply[1] = "older"
else
  for node, text in pairs(live) do
    local is_json, other = pcall(cjson.decode, text)
    local theirs = is_json and type(other) == "table" and other or {}
    local they_write, they_live_with = tonumber(theirs.writes) or 1, tonumber(theirs.livesWith) or 1
    local clash
    if they_write > writes then clash = they_live_with > writes else clash = lives_with > they_write end
    if clash and not holds then reply[1] = "beside" end
    for _, part in ipairs({ node, text, clash and "1" or "0" }) do reply[#reply + 1] = part end
  end
end

if reply[1] == "claimed" then
  oldest, newest = math.max(oldest, lives_with), math.max(newest, writes)
  redis.call("HSET", schema, "oldest", oldest, "newest", newest)
  for node in pairs(own) do
    redis.call("HSET", builds, node, build)
    redis.call("ZADD", claims, string.format("%.0f", now + claim_ms), node)
  end
  local forgotten = string.format("%.0f", now - drop_after_ms)
  for _, node in ipairs(redis.call("ZRANGEBYSCORE", claims, "-inf", forgotten)) do redis.call("HDEL", builds, node) end
  redis.call("ZREMRANGEBYSCORE", claims, "-inf", forgotten)
end
reply[2], reply[3] = tostring(oldest), tostring(newest)
return reply
