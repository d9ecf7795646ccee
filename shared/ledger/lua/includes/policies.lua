-- policies: how the jobs of an agent are placed, as somebody set it for the agent, or else for the whole namespace.
-- @key placement placement

local policies = {}

-- The policy for a pool (shapes.PlacementPolicy); empty when nothing was set. A pool's name has the agent's, escaped, in it.
local function placement_policy(pool)
  local agent = string.match(pool, "^[^/]*/([^/]*)") or ""
  if not policies[agent] then
    local own, common = unpack(redis.call("HMGET", placement_key, "agent:" .. agent, "namespace"))
    policies[agent] = (own or common) and cjson.decode(own or common) or {}
  end
  return policies[agent]
end
