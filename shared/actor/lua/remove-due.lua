-- Takes a name out of the index, unless somebody marked it since it was looked at.
--
-- KEYS  1 due  sorted set: name by the time it is next due (ms of Redis time)
-- ARGV  1 name
--       2 seen score  what the set held before the caller looked
-- Reply { "removed" } | { "changed" }

local due, name, seen = KEYS[1], ARGV[1], tonumber(ARGV[2])
local held = tonumber(redis.call("ZSCORE", due, name) or nil)
if not held or held ~= seen then return { "changed" } end
redis.call("ZREM", due, name)
return { "removed" }
