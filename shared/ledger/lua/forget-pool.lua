-- forget-pool: somebody says that a pool is no more: it is as if no worker of it had ever been here. Not while one is there.
-- What waits for it goes on waiting, and a worker that registers brings it back. `others`: as many pools of its agent are left.
-- Repeated: unknown, with the same count. Dying after it: the directory still has the agent here; the repeat ends that.
-- @key pools pools
-- @include forgetting
-- @arg pool string Name of the pool.
-- @reply forgotten others:int
-- @reply unknown others:int
-- @reply served sessions:int

local sessions = redis.call("ZCARD", pool_sessions_of(pool))
if sessions > 0 then return { "served", sessions } end
local was_known = redis.call("ZSCORE", pools_key, pool)
forget_pool(pool)
local agent, others = string.match(pool, "^[^/]*/([^/]*)/"), 0
for _, name in ipairs(redis.call("ZRANGE", pools_key, 0, -1)) do
  if string.match(name, "^[^/]*/([^/]*)/") == agent then others = others + 1 end
end
return { was_known and "forgotten" or "unknown", others }
