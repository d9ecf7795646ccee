-- list-agent: the namespaces that know an agent. Reads only.
-- @slot directory
-- @key agent agent:<agent>
-- @arg agent string Agent name.
-- @reply known namespaces:strings

return { "known", redis.call("SMEMBERS", agent_key) }
