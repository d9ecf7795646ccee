-- forgetting: a pool that is no longer remembered (includes/remembering) leaves nothing behind.
-- @include remembering
-- @key pools pools
-- @key left-pools left-pools
-- @key costs costs
-- @family parked parked:
-- @family orphans orphans:

-- Pools without workers that a namespace knows, at most; how many are looked at in one call.
local MOST_LEFT, MOST_FORGOTTEN = 1000, 16

local function forget_pool(pool)
  for _, key in ipairs({ pools_key, left_pools_key, brief_pools_key }) do redis.call("ZREM", key, pool) end
  redis.call("HDEL", costs_key, pool, pool .. "|peers")
end

local function forget_past_pools()
  local past = redis.call("ZRANGEBYSCORE", brief_pools_key, "-inf", now - BRIEF_MS, "LIMIT", 0, MOST_FORGOTTEN)
  for _, pool in ipairs(past) do
    local is_served = redis.call("ZCARD", pool_sessions_of(pool)) > 0
    local is_waited_for = redis.call("ZCARD", parked_of(pool)) + redis.call("SCARD", orphans_of(pool)) > 0
    if is_served then redis.call("ZREM", brief_pools_key, pool)
    elseif is_waited_for then redis.call("ZADD", brief_pools_key, now, pool)
    else forget_pool(pool) end
  end
  local surplus = math.min(redis.call("ZCARD", left_pools_key) - MOST_LEFT, MOST_FORGOTTEN)
  for _, pool in ipairs(surplus > 0 and redis.call("ZRANGE", left_pools_key, 0, surplus - 1) or {}) do
    if redis.call("ZCARD", pool_sessions_of(pool)) > 0 then redis.call("ZREM", left_pools_key, pool) else forget_pool(pool) end
  end
end

-- A worker is about to be entered in its pool.
local function enter_pool(pool)
  forget_past_pools()
  if not redis.call("ZSCORE", pools_key, pool) then redis.call("ZADD", brief_pools_key, now, pool) end
  redis.call("ZREM", left_pools_key, pool)
end

-- A worker is gone from its pool, and its places too. `has_worked`: it took a job.
local function leave_behind(pool, lived_ms, has_worked)
  if lived_ms >= STAYED_MS or has_worked then redis.call("ZREM", brief_pools_key, pool) end
  if redis.call("ZCARD", pool_sessions_of(pool)) > 0 then return end
  redis.call("ZADD", left_pools_key, now, pool)
  redis.call("ZADD", brief_pools_key, "XX", now, pool)
  forget_past_pools()
end
