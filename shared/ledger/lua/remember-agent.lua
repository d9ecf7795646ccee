-- remember-agent: a worker of this agent has registered in this namespace. Orders that name no namespace go to those
-- that know their agent; remembered after its last worker left, so that work for it waits instead of vanishing.
-- `told`: the namespace is new among those that know the agent, and this is one that knew it before; "" otherwise. It is to be
-- told (outdate-agents), since apis remember the list without the new one for a few seconds. One is enough: whoever reads
-- the list between two newcomers reads all that knew the agent then, so its orders go to the one that is told as well.
-- Dying after it, or repeated since its reply was lost: nobody is told, and the remembered lists end by themselves, in seconds.
-- @slot directory
-- @key agent agent:<agent>
-- @arg agent string Agent name.
-- @arg namespace-name string Namespace.
-- @arg keep-ms int How long it is remembered from now.
-- @reply remembered told:string

local one_before = redis.call("SRANDMEMBER", agent_key)
local is_new = redis.call("SADD", agent_key, namespace_name) == 1
redis.call("PEXPIRE", agent_key, keep_ms)
return { "remembered", is_new and one_before or "" }
