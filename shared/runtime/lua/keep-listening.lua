-- Says that somebody wants the events of a project, at least for a while from now.
--
-- KEYS  1 listened  string; expires
-- ARGV  1 for ms
-- Reply { "listened" }
--
-- Never shortens what somebody else asked for.

if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then redis.call("SET", KEYS[1], "1", "PX", ARGV[1]) end
return { "listened" }
