-- expire-session: the cool-down of an ejected session is over, or its job of the probation can have shown something, or the
-- time is over in which a new session could say what it brought: it may be asked. Of one that was lost, and did not come back under its id: the
-- drain of that worker alone is over.
-- Dying after it: the session is in its pool, and named with its next sample.
-- @key deadlines deadlines
-- @include serving
-- @include placing
-- @include draining
-- @include ejecting
-- @arg session string Session id.
-- @arg early-ms int How long a job must run to show that its worker can do its work.
-- @reply back serve:string
-- @reply idle

local timer = "session|" .. session
local due = redis.call("ZSCORE", deadlines_key, timer)
if not due or tonumber(due) > now then return { "idle" } end
redis.call("ZREM", deadlines_key, timer)
look_at_health(session, early_ms)
local has_room, pool = place(session)
if not pool then
  end_drain_of_worker(session)
  return { "idle" }
end
return { "back", to_serve(pool, has_room) }
