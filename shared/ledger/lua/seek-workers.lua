-- seek-workers: whether an agent has workers that could take jobs for a deployment, of whatever type: `there`, one is
-- connected, whether or not it takes jobs now; `lately`, the last one left, or came, no longer ago than that; else `none`. A
-- split of the agent sends what names no deployment to two others. Reads only.
-- @key pools pools
-- @key left-pools left-pools
-- @key splits splits
-- @family pool-sessions pool-sessions:
-- @arg types strings Types of jobs.
-- @arg agent string The agent, as in the names of pools.
-- @arg deployment string The deployment, as in the names of pools.
-- @arg lately-ms int How long ago is lately.
-- @reply there
-- @reply lately
-- @reply none

local deployments = { deployment }
local split = deployment == "" and redis.call("HGET", splits_key, agent)
if split then
  split = cjson.decode(split)
  deployments = { "", split.stable, split.candidate }
end
local seen_at = 0
for _, type_of_job in ipairs(types) do
  for _, name in ipairs(deployments) do
    local pool = type_of_job .. "/" .. agent .. "/" .. name
    if redis.call("ZCARD", pool_sessions_of(pool)) > 0 then return { "there" } end
    for _, key in ipairs({ pools_key, left_pools_key }) do
      seen_at = math.max(seen_at, tonumber(redis.call("ZSCORE", key, pool) or 0))
    end
  end
end
if seen_at > now - lately_ms then return { "lately" } end
return { "none" }
