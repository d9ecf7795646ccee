-- A dead letter goes to the end of its lane, to be tried as often as any other.
--
-- KEYS  1 state     hash: pending
--       2 unqueued  hash: lane to key of its first item, for lanes that want an entry in the queue
--       3 dead      sorted set: key of a dead letter by when it died
--       4 dead-items  hash: key of a dead letter to what it is, as JSON
-- ARGV  1 key of the dead letter
-- Reply { "replayed" } | { "unknown" }
--
-- Its key gets the number of its next life, so that the queue cannot take it for an entry that it still holds.
-- Repeated: `unknown`, for it is none any more.

local state, unqueued, dead, dead_items = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tag = string.match(state, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way

local text = redis.call("HGET", dead_items, ARGV[1])
if not text then return { "unknown" } end
local item = cjson.decode(text)
local name, life = string.match(ARGV[1], "^(.*)%.(%d+)$")
local key = name .. "." .. string.format("%d", tonumber(life) + 1)
redis.call("ZREM", dead, ARGV[1])
redis.call("HDEL", dead_items, ARGV[1])
redis.call("HINCRBY", state, "pending", 1)
if redis.call("RPUSH", tag .. "lane:" .. item.lane, key .. " " .. item.payload) == 1 then
  redis.call("HSET", unqueued, item.lane, key)
end
return { "replayed" }
