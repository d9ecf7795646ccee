-- Ends one node's inbox and hands out what had not been read. Run by its own node only.
--
-- KEYS  1 inbox  stream
-- ARGV  1 read to  id of the last entry that was read
-- Reply the unread entries, as XRANGE gives them; none when the inbox is not there
--
-- One step, so that a message is either handed out here or refused to its sender: from now on it is told "gone".

local unread = redis.call("XRANGE", KEYS[1], "(" .. ARGV[1], "+")
redis.call("DEL", KEYS[1])
return unread
