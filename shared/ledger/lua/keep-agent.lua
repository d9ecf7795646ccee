-- keep-agent: an order waits in namespaces of which none had a worker of its agent for long: they know it for as long as the
-- order may wait, so that the next orders go to the same. Those that have forgotten it meanwhile stay forgotten.
-- Repeating it changes nothing. Dying before it: the order waits all the same; a later one may go elsewhere.
-- @slot directory
-- @key agent agent:<agent>
-- @key agent-until agent-until:<agent>
-- @arg agent string Agent name.
-- @arg names strings Namespaces.
-- @arg keep-ms int How long they are remembered from now, at least.
-- @reply kept

for _, name in ipairs(names) do
  if redis.call("SISMEMBER", agent_key, name) == 1 then
    redis.call("ZADD", agent_until_key, "GT", string.format("%.0f", now + keep_ms), name)
  end
end
for _, key in ipairs({ agent_key, agent_until_key }) do
  if redis.call("PTTL", key) < keep_ms then redis.call("PEXPIRE", key, keep_ms) end
end
return { "kept" }
