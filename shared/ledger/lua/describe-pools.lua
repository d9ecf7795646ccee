-- describe-pools: the pools that a namespace knows, those where a worker registered last first: when that was, when the last
-- worker left (0: somebody is there, or that is not known), how many are there, how many jobs are parked, and whether it is soon
-- forgotten. Of one agent, when asked; a page of them. `total`: of all agents. Reads only.
-- @key pools pools
-- @key left-pools left-pools
-- @include remembering
-- @include records
-- @family parked parked:
-- @arg agent string As in the names of pools.
-- @arg one-agent bool Only those of `agent`.
-- @arg first int Rank of the first one that is looked at.
-- @arg limit int Looked at, at most.
-- @reply pools pools:json:shapes.KnownPool[] total:int

local function is_asked_for(name)
  return not one_agent or string.match(name, "^[^/]*/([^/]*)/") == agent
end

local pools = {}
local ranked = redis.call("ZREVRANGE", pools_key, first, first + limit - 1, "WITHSCORES")
for index = 1, #ranked, 2 do
  local name = ranked[index]
  if is_asked_for(name) and not is_past(name) then
    local sessions = redis.call("ZCARD", pool_sessions_of(name))
    pools[#pools + 1] = { pool = name, registered_at = tonumber(ranked[index + 1]), sessions = sessions,
      left_at = sessions == 0 and tonumber(redis.call("ZSCORE", left_pools_key, name) or 0) or 0,
      parked = redis.call("ZCARD", parked_of(name)),
      brief = redis.call("ZSCORE", brief_pools_key, name) and 1 or 0 }
  end
end
return { "pools", encode_list(pools), redis.call("ZCARD", pools_key) }
