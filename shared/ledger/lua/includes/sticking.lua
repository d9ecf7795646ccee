-- sticking: who took the last job of a key that callers chose, so that the next one of it may go there.
-- @family sticky sticky:

local STICKY_MS = 86400000

local function remember_taker(key, session_id)
  redis.call("SET", sticky_of(key), session_id, "PX", STICKY_MS)
end
