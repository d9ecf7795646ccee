-- A run of a lane begins: from now on only this run may say what became of its items.
--
-- KEYS  1 runs  hash: lane to the run that has it
-- ARGV  1 lane
--       2 key of the item that the queue's entry is for
--       3 token of this run
-- Reply { "yours", payload } | { "other", key of the first item } | { "empty" }
--
-- A run that was taken for dead and is not finds itself superseded with its next word. `other`: the item is done, and
-- whoever did it died before it saw to the next.

local tag = string.match(KEYS[1], "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way
local first = redis.call("LINDEX", tag .. "lane:" .. ARGV[1], 0)
if not first then return { "empty" } end
local key, payload = string.match(first, "^(%S+) (.*)$")
if key ~= ARGV[2] then return { "other", key } end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
return { "yours", payload }
