-- set-placement: how the jobs of one agent are placed from now on, or those of a whole namespace whose agents have no policy
-- of their own. In force with the next claim: no offer passes a bound that was set before it. Where sessions stand follows
-- with place-sessions, or else with each one's next sample. Repeating it changes nothing.
-- Dying after it: as with each sample that comes.
-- That an agent is one per room is noted in the index for good: only then creating an order asks for policies.
-- @key placement placement
-- @key index index
-- @arg field string `namespace`, or `agent:` and the agent's name, escaped as in the names of pools.
-- @arg policy string The policy as JSON (shapes.PlacementPolicy); empty: none any more.
-- @arg max-count int Policies kept in a namespace, at most.
-- @reply set had-one:int
-- @reply full count:int

local had_one = redis.call("HEXISTS", placement_key, field)
if policy == "" then
  redis.call("HDEL", placement_key, field)
  return { "set", had_one }
end
local count = redis.call("HLEN", placement_key)
if had_one == 0 and count >= max_count then return { "full", count } end
redis.call("HSET", placement_key, field, policy)
if cjson.decode(policy).one_per_room then redis.call("HSET", index_key, "one_per_room", 1) end
return { "set", had_one }
