-- set-labels: the labels of a connected worker, in place of those that it had; jobs that ask for one of them find it at once.
-- Repeating it changes nothing. Dying after it: room that nobody was told of is named with the next sample.
-- @key session session:<session>
-- @include serving
-- @include placing
-- @arg session string Session id.
-- @arg labels string `name=value`, both escaped, joined by `;`; empty: none.
-- @reply labelled serve:string
-- @reply unknown

local pool, old = unpack(redis.call("HMGET", session_key, "pool", "labels"))
if not pool then return { "unknown" } end
if labels == (old or "") then return { "labelled", "" } end
leave_pool(session, pool, old)
if labels == "" then redis.call("HDEL", session_key, "labels") else redis.call("HSET", session_key, "labels", labels) end
return { "labelled", to_serve(pool, (place(session))) }
