-- Tells which names of one bucket are due, the longest due first.
--
-- KEYS  1 due  sorted set: name by the time it is next due (ms of Redis time)
-- ARGV  1 limit  how many at most
-- Reply { now ms, name, score, name, score, … }
--
-- Costs what is due, not what is there. Writes nothing.

local time = redis.call("TIME")
local now = string.format("%.3f", tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000)
local reply = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "WITHSCORES", "LIMIT", 0, ARGV[1])
table.insert(reply, 1, now)
return reply
