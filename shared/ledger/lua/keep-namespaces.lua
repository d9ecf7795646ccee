-- keep-namespaces: these namespaces of the project have workers now; said again every minute by each gateway that has some.
-- Whoever is there is never too many: the bound is for newcomers (remember-agent). Repeating it changes nothing.
-- Dying before it: they count as without workers, which admits newcomers, until it is said again.
-- @slot directory
-- @key live-namespaces live-namespaces
-- @key empty-namespaces empty-namespaces
-- @arg names strings Namespaces, without the default one.
-- @arg live-ms int How long they count as such from now.
-- @reply kept live:int

for _, name in ipairs(names) do
  redis.call("ZADD", live_namespaces_key, "GT", now + live_ms, name)
  redis.call("ZREM", empty_namespaces_key, name)
end
redis.call("ZREMRANGEBYSCORE", live_namespaces_key, "-inf", now)
redis.call("PEXPIRE", live_namespaces_key, live_ms)
return { "kept", redis.call("ZCARD", live_namespaces_key) }
