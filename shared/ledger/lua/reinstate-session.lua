-- reinstate-session: somebody says that a worker is well: nothing is held against it any more, and it may be asked at once.
-- Repeated, or of one that nothing was held against: the same answer.
-- Dying after it: the session is in its pool, and named with its next sample.
-- @key session session:<session>
-- @include serving
-- @include ejecting
-- @arg session string Session id.
-- @reply reinstated serve:string
-- @reply unknown

local pool = redis.call("HGET", session_key, "pool")
if not pool then return { "unknown" } end
return { "reinstated", to_serve(pool, recover(session)) }
