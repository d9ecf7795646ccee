-- Sets when a name is next due, unless somebody marked it since it was looked at.
--
-- KEYS  1 due  sorted set: name by the time it is next due (ms of Redis time)
-- ARGV  1 name
--       2 seen score  what the set held before the caller looked
--       3 due at ms
-- Reply { "rescheduled" } | { "changed" }
--
-- Repeated after its own success it says "changed", which is as harmless: the caller looks again.

local due, name, seen, due_at_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local held = tonumber(redis.call("ZSCORE", due, name) or nil)
if not held or held ~= seen then return { "changed" } end
redis.call("ZADD", due, due_at_ms, name)
return { "rescheduled" }
