-- confirm-stop: it was looked whether the agent that was to stop is in its room. It was: it is put out, and seen by now; not
-- seen before, it was slow to come, and its pool is given longer. It was not, and had been seen before: whatever its worker
-- still does, it serves nobody, and its place is free at once. It was not, and never had been: it may be on its way in, and
-- the worker keeps the place for as long as it has time to stop.
-- Repeated, or after the worker said so itself: nothing is left to do.
-- Dying after it: the place is free, and named with the session's next sample.
-- @key stops stops
-- @include stopping
-- @include serving
-- @include joining
-- @arg field string Session and wire id, as in the timer's name.
-- @arg was-there bool Whether it was in its room.
-- @reply released serve:string
-- @reply seen
-- @reply doubted
-- @reply idle

local kept = redis.call("HGET", stops_key, field)
if not kept then return { "idle" } end
local stop = cjson.decode(kept)
if was_there then
  if not stop.seen and stop.pool then learn_join(stop.pool, now - stop.started_at) end
  stop.seen = true
  redis.call("HSET", stops_key, field, cjson.encode(stop))
  return { "seen" }
end
if not stop.seen then return { "doubted" } end
local freed = finish_stop(field)
return { "released", to_serve(freed, freed ~= nil) }
