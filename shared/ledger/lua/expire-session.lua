-- expire-session: a silent worker's cool-down is over, or the time in which a new session could say what it brought: it may
-- be asked. Of one that was lost, and did not come back under its id: the drain of that worker alone is over.
-- Dying after it: the session is in its pool, and named with its next sample.
-- @key deadlines deadlines
-- @include serving
-- @include placing
-- @include draining
-- @arg session string Session id.
-- @reply back serve:string
-- @reply idle

local timer = "session|" .. session
local due = redis.call("ZSCORE", deadlines_key, timer)
if not due or tonumber(due) > now then return { "idle" } end
redis.call("ZREM", deadlines_key, timer)
local has_room, pool = place(session)
if not pool then
  end_drain_of_worker(session)
  return { "idle" }
end
return { "back", to_serve(pool, has_room) }
