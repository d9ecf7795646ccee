-- Marks a name as due now.
--
-- KEYS  1 due  sorted set: name by the time it is next due (ms of Redis time)
-- ARGV  1 name
-- Reply { "marked", score }
--
-- The score is another one at every call, also within one microsecond, so that whoever compares it with one seen
-- earlier learns that somebody marked the name in between. A double holds microseconds of this century exactly enough:
-- neighbours are 0.00025 ms apart.

local due, name = KEYS[1], ARGV[1]
local time = redis.call("TIME")
local score = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local before = tonumber(redis.call("ZSCORE", due, name) or nil)
if before == score then score = score + 0.001 end
redis.call("ZADD", due, string.format("%.17g", score), name)
return { "marked", string.format("%.17g", score) }
