-- set-split: the jobs of an agent whose orders name no deployment are divided between two from now on, or no longer. Another
-- one starts from its beginning: ramp, counts and roll-back; so does the same one when it was rolled back. Jobs that were placed
-- before stand where they do; those that wait for a deployment that is neither side any more look again within seconds
-- (includes/siding). Repeating it changes nothing.
-- Dying after it: the next claim goes by it.
-- @key splits splits
-- @key deadlines deadlines
-- @key split split:<agent>
-- @key split-good split-good:<agent>
-- @key split-bad split-bad:<agent>
-- @arg agent string The agent's name, escaped as in the names of pools.
-- @arg split string The split as JSON (shapes.DeploymentSplit); empty: none any more.
-- @arg max-count int Splits kept in a namespace, at most.
-- @reply set started-at:int had-one:int
-- @reply full count:int

local known = redis.call("HGET", splits_key, agent)
local count = redis.call("HLEN", splits_key)
if split ~= "" and not known and count >= max_count then return { "full", count } end
local before = known and cjson.decode(known)
local given = redis.sha1hex(split)
if before and before.given == given and not before.rolled_back_at then return { "set", before.started_at, 1 } end
redis.call("DEL", split_key, split_good_key, split_bad_key)
redis.call("ZREM", deadlines_key, "split|" .. agent)
if split == "" then
  redis.call("HDEL", splits_key, agent)
  return { "set", 0, known and 1 or 0 }
end
-- Told apart from the one before, should both be of one millisecond.
local definition = cjson.decode(split)
definition.started_at, definition.given = now, given
definition.id = before and math.max(now, before.id + 1) or now
redis.call("HSET", splits_key, agent, cjson.encode(definition))
return { "set", now, known and 1 or 0 }
