-- The first item of a lane failed: it is tried again, or, after so many times, becomes a dead letter and the lane goes on.
--
-- KEYS  1 runs   hash: lane to the run that has it
--       2 state  hash: pending
--       3 tries  hash: lane to failures of its first item
--       4 dead   sorted set: key of a dead letter by when it died, ms
--       5 dead-items  hash: key of a dead letter to { lane, payload, reason, tries } as JSON
-- ARGV  1 lane
--       2 key of the item
--       3 token of the run
--       4 why, for people
--       5 failures after which it is dead
--       6 dead letters kept; the newest stay
-- Reply { "again", failures } | { "dead", key of the next or "" } | { "superseded" }
--
-- The dead letter is written by the same script that lets the lane go on, so that no crash can lose it.

local runs, state, tries, dead, dead_items = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local tag = string.match(runs, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way
local lane = tag .. "lane:" .. ARGV[1]

if redis.call("HGET", runs, ARGV[1]) ~= ARGV[3] then return { "superseded" } end
local first = redis.call("LINDEX", lane, 0)
local key, payload = string.match(first or "", "^(%S+) (.*)$")
if key == ARGV[2] then
  local failures = redis.call("HINCRBY", tries, ARGV[1], 1)
  if failures < tonumber(ARGV[5]) then return { "again", failures } end
  redis.call("LPOP", lane)
  redis.call("HDEL", tries, ARGV[1])
  redis.call("HINCRBY", state, "pending", -1)
  local time = redis.call("TIME")
  redis.call("ZADD", dead, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), key)
  redis.call("HSET", dead_items, key,
    cjson.encode({ lane = ARGV[1], payload = payload, reason = ARGV[4], tries = failures }))
  local excess = redis.call("ZCARD", dead) - tonumber(ARGV[6])
  if excess > 0 then
    local oldest = redis.call("ZPOPMIN", dead, excess)
    for index = 1, #oldest, 2 do redis.call("HDEL", dead_items, oldest[index]) end
  end
  first = redis.call("LINDEX", lane, 0)
end
if not first then redis.call("HDEL", runs, ARGV[1]) end
return { "dead", first and string.match(first, "^(%S+) ") or "" }
