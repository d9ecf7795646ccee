-- expire-split: a split was rolled back, and nobody has said so yet. That is answered once. New jobs go to the stable deployment
-- since, and those that wait for the candidate look again by themselves.
-- Dying after it: the roll-back stands, and shows where splits are read; it was counted and logged, or not.
-- @key deadlines deadlines
-- @key splits splits
-- @arg agent string The agent's name, escaped as in the names of pools.
-- @reply rolled_back split:json:shapes.StoredSplit
-- @reply idle

local timer = "split|" .. agent
local due = redis.call("ZSCORE", deadlines_key, timer)
if not due or tonumber(due) > now then return { "idle" } end
redis.call("ZREM", deadlines_key, timer)
local split = redis.call("HGET", splits_key, agent)
if not split then return { "idle" } end
return { "rolled_back", split }
