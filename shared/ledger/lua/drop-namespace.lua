-- drop-namespace: somebody says that a namespace without workers is no more: it makes room for another one now, not minutes later.
-- Only one whose last worker left a gateway, and to which none came since: a worker that comes says so here (remember-agent) before
-- it is in its namespace, where the caller looked. Repeating it changes nothing. Dying before it: its place is free in minutes.
-- @slot directory
-- @key live-namespaces live-namespaces
-- @key empty-namespaces empty-namespaces
-- @arg namespace-name string Namespace.
-- @reply dropped
-- @reply kept

if redis.call("ZREM", empty_namespaces_key, namespace_name) == 0 then return { "kept" } end
redis.call("ZREM", live_namespaces_key, namespace_name)
return { "dropped" }
