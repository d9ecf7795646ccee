-- The first item of a lane is done; tells the next.
--
-- KEYS  1 runs   hash: lane to the run that has it
--       2 state  hash: pending
--       3 tries  hash: lane to failures of its first item
-- ARGV  1 lane
--       2 key of the item
--       3 token of the run
-- Reply { "next", key, payload } | { "empty" } | { "superseded" }
--
-- Repeated by the same run: the same answer; but `superseded` when the lane is empty, which comes to the same.

local runs, state, tries = KEYS[1], KEYS[2], KEYS[3]
local tag = string.match(runs, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way
local lane = tag .. "lane:" .. ARGV[1]

if redis.call("HGET", runs, ARGV[1]) ~= ARGV[3] then return { "superseded" } end
local first = redis.call("LINDEX", lane, 0)
if first and string.match(first, "^(%S+) ") == ARGV[2] then
  redis.call("LPOP", lane)
  redis.call("HDEL", tries, ARGV[1])
  redis.call("HINCRBY", state, "pending", -1)
  first = redis.call("LINDEX", lane, 0)
end
if not first then
  redis.call("HDEL", runs, ARGV[1])
  return { "empty" }
end
return { "next", string.match(first, "^(%S+) (.*)$") }
