-- leave-namespace: a gateway has no worker of this namespace any more. Orders that name no namespace pass over it, where it had
-- workers for a moment only (list-agent); where another gateway has some, that one says so within a minute (keep-namespaces).
-- It counts for some minutes more among those that have workers, so that one worker cannot go through thousands of them.
-- Repeating it changes nothing. Dying before it: such orders go there for some minutes more.
-- @slot directory
-- @key live-namespaces live-namespaces
-- @key empty-namespaces empty-namespaces
-- @arg namespace-name string Namespace.
-- @arg live-ms int How long it counts at most since it was last said.
-- @reply left

if not redis.call("ZSCORE", live_namespaces_key, namespace_name) then return { "left" } end
redis.call("ZADD", empty_namespaces_key, now, namespace_name)
redis.call("ZREMRANGEBYSCORE", empty_namespaces_key, "-inf", now - live_ms)
redis.call("PEXPIRE", empty_namespaces_key, live_ms)
return { "left" }
