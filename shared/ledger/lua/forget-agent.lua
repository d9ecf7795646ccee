-- forget-agent: somebody says that a namespace has no workers of this agent any more: orders that name no namespace do not go
-- there. A worker that registers there brings it back. Repeating it changes nothing.
-- @slot directory
-- @key agent agent:<agent>
-- @key agent-until agent-until:<agent>
-- @arg agent string Agent name.
-- @arg namespace-name string Namespace.
-- @reply forgotten

redis.call("SREM", agent_key, namespace_name)
redis.call("ZREM", agent_until_key, namespace_name)
return { "forgotten" }
