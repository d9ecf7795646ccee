-- place-sessions: puts each session where it belongs now, page by page: after a policy changed, for those that have no sample
-- just then. `next` is the cursor to go on from, "0" behind the last. Repeating it changes nothing.
-- Dying after it: the rest follow with their next samples, 2.5 s later.
-- @key sessions sessions
-- @include serving
-- @include placing
-- @arg cursor string "0" to begin.
-- @arg limit int Sessions in one call, about.
-- @reply placed next:string serve:strings

local page = redis.call("ZSCAN", sessions_key, cursor, "COUNT", limit)
local serve = {}
for index = 1, #page[2], 2 do
  local has_room, pool = place(page[2][index])
  also_serve(serve, pool, has_room)
end
return { "placed", page[1], serve }
