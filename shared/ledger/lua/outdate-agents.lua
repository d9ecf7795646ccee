-- outdate-agents: another namespace knows an agent of this one from now on. Lists of namespaces that were read before may lack
-- it, and an order that goes by one is refused (create-order, `outdated`). Repeated, or told of another agent: a list that was good
-- is read once more.
-- Dying before it: such lists end by themselves, after a few seconds.
-- @key index index
-- @reply outdated

redis.call("HSET", index_key, "agents_at", string.format("%.0f", now))
return { "outdated" }
