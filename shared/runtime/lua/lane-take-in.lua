-- Takes items into their lanes and moves the cursor over their source, both or neither.
--
-- KEYS  1 state     hash: cursor, pending
--       2 pump      string: who has the turn
--       3 unqueued  hash: lane to key of its first item, for lanes that want an entry in the queue
-- ARGV  1 who takes
--       2 cursor before, "" for none
--       3 cursor after
--       4 lane, 5 key, 6 payload, and so on
-- Reply { "taken", { lane, key, … } } | { "lost" }
--
-- A lane that was empty wants an entry from now on, until lane-queued says that it has one: whoever dies in between leaves
-- that to the next turn. Repeated: `lost`, and the next turn tells what was taken.

local state, pump, unqueued = KEYS[1], KEYS[2], KEYS[3]
local tag = string.match(state, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way

if redis.call("GET", pump) ~= ARGV[1] then return { "lost" } end
if (redis.call("HGET", state, "cursor") or "") ~= ARGV[2] then return { "lost" } end
local count = 0
for index = 4, #ARGV, 3 do
  local lane, key, payload = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  if redis.call("RPUSH", tag .. "lane:" .. lane, key .. " " .. payload) == 1 then
    redis.call("HSET", unqueued, lane, key)
  end
  count = count + 1
end
redis.call("HSET", state, "cursor", ARGV[3])
redis.call("HINCRBY", state, "pending", count)
return { "taken", redis.call("HGETALL", unqueued) }
