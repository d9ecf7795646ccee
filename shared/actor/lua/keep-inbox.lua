-- Keeps one node's inbox alive, and makes it when it is not there. Run by its own node only.
--
-- KEYS  1 inbox  stream
-- ARGV  1 ttl ms   it goes away by itself when its node no longer comes
--       2 read to  id of the last entry that was read
--       3 read     how many entries of this stream were read, with the one that opened it
-- Reply { "created", id of the entry that opened it }
--       { "kept", how many entries were cut off by the bound on length before they were read }
--
-- Trims what was read. What was added in all, less what was read and what still waits, was cut off: Redis counts the
-- additions of a stream itself (entries-added, from 7.0 on), so none escapes, however fast the reader catches up.

local inbox, ttl_ms, read_to, read = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

if redis.call("EXISTS", inbox) == 0 then
  local id = redis.call("XADD", inbox, "*", "open", "1")
  redis.call("PEXPIRE", inbox, ttl_ms)
  return { "created", id }
end
redis.call("XTRIM", inbox, "MINID", read_to)
redis.call("PEXPIRE", inbox, ttl_ms)

local waiting = redis.call("XLEN", inbox)
local oldest = redis.call("XRANGE", inbox, "-", "+", "COUNT", 1)[1]
if oldest and oldest[1] == read_to then waiting = waiting - 1 end
local added = 0
local info = redis.call("XINFO", "STREAM", inbox)
for at = 1, #info, 2 do
  if info[at] == "entries-added" then added = info[at + 1] end
end
return { "kept", tostring(math.max(0, added - waiting - read)) }
