-- expire-stop: a worker had its time to stop and did not confirm; its place is free again.
-- Dying after it: the place is free, and named with the session's next sample.
-- @key stops stops
-- @include stopping
-- @include serving
-- @arg field string Session and wire id, as in the timer's name.
-- @reply released serve:string
-- @reply idle

local due = redis.call("ZSCORE", deadlines_key, "stop|" .. field)
if not due or tonumber(due) > now then return { "idle" } end
if redis.call("HEXISTS", stops_key, field) == 0 then
  redis.call("ZREM", deadlines_key, "stop|" .. field)
  return { "idle" }
end
local freed = finish_stop(field)
return { "released", to_serve(freed, freed ~= nil) }
