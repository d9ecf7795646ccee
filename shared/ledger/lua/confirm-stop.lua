-- confirm-stop: the agent that was to stop is not in its room: whatever its worker still does, it serves nobody, and its
-- place is free at once. Repeated, or after the worker said so itself: nothing is left to do.
-- Dying after it: the place is free, and named with the session's next sample.
-- @key stops stops
-- @include stopping
-- @include serving
-- @arg field string Session and wire id, as in the timer's name.
-- @reply released serve:string
-- @reply idle

if redis.call("HEXISTS", stops_key, field) == 0 then return { "idle" } end
local freed = finish_stop(field)
return { "released", to_serve(freed, freed ~= nil) }
