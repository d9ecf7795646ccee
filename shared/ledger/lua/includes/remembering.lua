-- remembering: which pools a namespace knows after their last worker left, so that work for them waits. For good, once one of
-- its workers stayed, or took a job; one that was there for seconds is forgotten in minutes. Their number is bounded: who
-- names agents chooses these names.
-- @key brief-pools brief-pools
-- @family pool-sessions pool-sessions:

-- A worker stayed, after this; a pool of which none did is known for so long after the last one.
local STAYED_MS, BRIEF_MS = 60000, 600000

-- Nobody stayed there, and the last one is gone for long.
local function is_past(pool)
  local at = redis.call("ZSCORE", brief_pools_key, pool)
  return at and tonumber(at) <= now - BRIEF_MS and redis.call("ZCARD", pool_sessions_of(pool)) == 0
end
