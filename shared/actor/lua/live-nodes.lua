-- Tells which nodes of a role are live now.
--
-- KEYS  1 leases  sorted set: node id by expiry (ms of Redis time)
-- Reply { id, … }
--
-- A script only so that Redis's own clock judges the leases it holds. Writes nothing.

local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. string.format("%.0f", now), "+inf")
