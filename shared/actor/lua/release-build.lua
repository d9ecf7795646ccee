-- Gives up the claim of one process. Run by that process only; repeated, it changes nothing.
--
-- KEYS  1 builds  hash, as claim-build has it
--       2 claims  sorted set, likewise
-- ARGV  … the node ids of the process, one or more
-- Reply { "released" }
--
-- One step: a claim without its build would be taken for one from before there were schemas, and a build without its claim
-- would be forgotten by nobody.

redis.call("HDEL", KEYS[1], unpack(ARGV))
redis.call("ZREM", KEYS[2], unpack(ARGV))
return { "released" }
