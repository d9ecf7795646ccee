-- remember-agent: a worker of this agent has registered in this namespace. Orders that name no namespace go to those
-- that know their agent; remembered after its last worker left, so that work for it waits instead of vanishing.
-- @slot directory
-- @key agent agent:<agent>
-- @arg agent string Agent name.
-- @arg namespace-name string Namespace.
-- @arg keep-ms int How long it is remembered from now.
-- @reply remembered

redis.call("SADD", agent_key, namespace_name)
redis.call("PEXPIRE", agent_key, keep_ms)
return { "remembered" }
