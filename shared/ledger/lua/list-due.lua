-- list-due: the timers of a namespace that are due, and when the next one is. Changes nothing: each expire script
-- looks again for itself.
-- @key deadlines deadlines
-- @arg limit int Timers listed, at most.
-- @reply due timers:strings next:int now:int

local timers = redis.call("ZRANGEBYSCORE", deadlines_key, "-inf", now, "LIMIT", 0, limit)
local following = redis.call("ZRANGEBYSCORE", deadlines_key, "(" .. now, "+inf", "WITHSCORES", "LIMIT", 0, 1)
return { "due", timers, following[2] and math.floor(tonumber(following[2])) or -1, now }
