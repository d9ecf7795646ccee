-- take-key: an idempotency key stands for this content from now on, unless another call took it shortly before: of several at
-- once, one decides, wherever each of them would go. Only for as long as nothing was made or merged under the key: what was, says
-- for itself what it was asked for (find-call). Answers who has the key now, and what find-order would.
-- Dying after it: the same call may be repeated; another content is refused for `keep-ms`.
-- @slot directory
-- @key order order:<order>
-- @key taken taken:<order>
-- @arg order string Order id, which follows from the key.
-- @arg asked string Digest of what is asked for.
-- @arg keep-ms int How long the key is kept from now; outlives a call.
-- @reply taken namespaces:strings asked:string

redis.call("SET", taken_key, asked, "NX", "PX", keep_ms)
return { "taken", redis.call("SMEMBERS", order_key), redis.call("GET", taken_key) }
