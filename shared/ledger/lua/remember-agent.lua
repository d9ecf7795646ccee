-- remember-agent: a worker of this agent has registered in this namespace, or is still there. Orders that name no namespace go
-- to those that know their agent; remembered after its last worker left, so that work for it waits instead of vanishing.
-- `told`: the namespace is new among those that know the agent, and this is one that knew it before; "" otherwise. It is to be
-- told (outdate-agents), since apis remember the list without the new one for a few seconds. One is enough: whoever reads
-- the list between two newcomers reads all that knew the agent then, so its orders go to the one that is told as well.
-- `refused`: so many namespaces of the project have workers, and this is none of them; nothing changed. The default one always has room.
-- No more than `most` know an agent either: of those without workers, the one that would be forgotten first goes.
-- Dying after it, or repeated since its reply was lost: nobody is told, and the remembered lists end by themselves, in seconds.
-- @slot directory
-- @key agent agent:<agent>
-- @key agent-until agent-until:<agent>
-- @key live-namespaces live-namespaces
-- @key empty-namespaces empty-namespaces
-- @arg agent string Agent name.
-- @arg namespace-name string Namespace.
-- @arg keep-ms int How long it is remembered from now, at least.
-- @arg live-ms int How long the namespace counts as one with workers from now, unless it is said again.
-- @arg most int Namespaces with workers, at most; 0 = no bound.
-- @arg must bool Its worker is there already: it is never refused.
-- @reply remembered told:string
-- @reply refused live:int

-- Looked at in one call, of those that are to be forgotten.
local MOST_LOOKED_AT = 256

local is_default = not string.find(namespace_name, ":", 1, true)
redis.call("ZREMRANGEBYSCORE", live_namespaces_key, "-inf", now)
if not is_default then
  local live = redis.call("ZCARD", live_namespaces_key)
  local is_newcomer = most > 0 and not must and not redis.call("ZSCORE", live_namespaces_key, namespace_name)
  if is_newcomer and live >= most then return { "refused", live } end
  redis.call("ZADD", live_namespaces_key, "GT", now + live_ms, namespace_name)
  redis.call("ZREM", empty_namespaces_key, namespace_name)
  redis.call("PEXPIRE", live_namespaces_key, live_ms)
end

local function forget(name)
  redis.call("SREM", agent_key, name)
  redis.call("ZREM", agent_until_key, name)
end

for _, name in ipairs(redis.call("ZRANGEBYSCORE", agent_until_key, "-inf", now, "LIMIT", 0, MOST_LOOKED_AT)) do forget(name) end
local one_before = redis.call("SRANDMEMBER", agent_key)
local is_new = redis.call("SADD", agent_key, namespace_name) == 1
redis.call("ZADD", agent_until_key, "GT", string.format("%.0f", now + keep_ms), namespace_name)
local surplus = most > 0 and redis.call("SCARD", agent_key) - most or 0
if surplus > 0 then
  for _, name in ipairs(redis.call("ZRANGE", agent_until_key, 0, MOST_LOOKED_AT - 1)) do
    local may_go = name ~= namespace_name and string.find(name, ":", 1, true)
    if surplus > 0 and may_go and not redis.call("ZSCORE", live_namespaces_key, name) then
      forget(name)
      surplus = surplus - 1
    end
  end
end
-- What a version wrote that keeps no times is kept for as long as it said.
local longest = tonumber(redis.call("ZREVRANGE", agent_until_key, 0, 0, "WITHSCORES")[2]) - now
local kept_ms = string.format("%.0f", math.max(longest, keep_ms, redis.call("PTTL", agent_key)))
redis.call("PEXPIRE", agent_key, kept_ms)
redis.call("PEXPIRE", agent_until_key, kept_ms)
return { "remembered", is_new and one_before or "" }
