-- A pump asks for its turn to fill a lane queue, or keeps it.
--
-- KEYS  1 state     hash: cursor (how far the source was taken in), pending (items not done), turned_at
--       2 pump      string: who has the turn; expires
--       3 unqueued  hash: lane to key of its first item, for lanes that still want an entry in the queue
-- ARGV  1 who asks
--       2 how long the turn lasts, ms
--       3 forget the cursor when nobody had a turn for so long, ms
-- Reply { "held", cursor or "", pending, { lane, key, … } } | { "other" }
--
-- Safety does not hang on the turn: taking in compares the cursor too. It only saves others the work.

local state, pump, unqueued = KEYS[1], KEYS[2], KEYS[3]
local tag = string.match(state, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way

local holder = redis.call("GET", pump)
if holder and holder ~= ARGV[1] then return { "other" } end
redis.call("SET", pump, ARGV[1], "PX", ARGV[2])
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local cursor, pending, turned_at = unpack(redis.call("HMGET", state, "cursor", "pending", "turned_at"))
if turned_at and now - tonumber(turned_at) > tonumber(ARGV[3]) then
  redis.call("HDEL", state, "cursor")
  cursor = false
end
redis.call("HSET", state, "turned_at", string.format("%.0f", now))
return { "held", cursor or "", tonumber(pending or 0), redis.call("HGETALL", unqueued) }
