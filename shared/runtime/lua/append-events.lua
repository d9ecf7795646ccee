-- Appends events of one namespace to the feed of its project, each once.
--
-- KEYS  1 feed   stream: every event of the project, the newest kept
--       2 moved  string: id, in the outbox, of the last event that was appended; expires
-- ARGV  1 keep at least this many events
--       2 remember `moved` for ms
--       3 id in the outbox, 4 event as JSON, and so on; ids in order
-- Reply { "appended", count }
--
-- The outbox is on another slot, so it is emptied only after this: whoever dies in between, or moves at the same time as
-- another, brings events again that are here already. Those are passed over.

local feed, moved = KEYS[1], KEYS[2]
local tag = string.match(feed, "^.-}:")
redis.call("EXISTS", tag .. "none", tag .. "none-either") -- fails here, before any write, while the slot is on its way

local function parts(id)
  local ms, number = string.match(id, "^(%d+)-(%d+)$")
  return tonumber(ms), tonumber(number)
end
local last_ms, last_number = parts(redis.call("GET", moved) or "0-0")
local count, last = 0, nil
for index = 3, #ARGV, 2 do
  local ms, number = parts(ARGV[index])
  if ms > last_ms or (ms == last_ms and number > last_number) then
    redis.call("XADD", feed, "MAXLEN", "~", ARGV[1], "*", "event", ARGV[index + 1])
    count, last = count + 1, ARGV[index]
  end
end
if last then redis.call("SET", moved, last, "PX", ARGV[2]) end
return { "appended", count }
