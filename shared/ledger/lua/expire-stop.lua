-- expire-stop: a worker had its time to stop and did not confirm; its place is free again. Before that, where somebody can
-- ask LiveKit, it is looked whether the agent is still in its room (`looking`), to put it out: again and again, each time
-- after twice as long, until confirm-stop says that it is gone or the worker's time is over.
-- Dying after it: the place is free, and named with the session's next sample; a look is repeated by the timer.
-- @key stops stops
-- @include stopping
-- @include serving
-- @arg field string Session and wire id, as in the timer's name.
-- @arg again-ms int How soon it is looked a second time.
-- @reply released serve:string
-- @reply looking job:string room:string identity:string epoch:int due:int
-- @reply idle

local due = redis.call("ZSCORE", deadlines_key, "stop|" .. field)
if not due or tonumber(due) > now then return { "idle" } end
local kept = redis.call("HGET", stops_key, field)
if not kept then
  redis.call("ZREM", deadlines_key, "stop|" .. field)
  return { "idle" }
end
local stop = cjson.decode(kept)
if stop.ends_at and now < stop.ends_at then
  local again_at = math.min(stop.ends_at, now + again_ms * 2 ^ math.min(10, stop.looks))
  stop.looks = stop.looks + 1
  redis.call("HSET", stops_key, field, cjson.encode(stop))
  set_timer("stop|" .. field, again_at)
  return { "looking", stop.job, stop.room, stop.identity, tonumber(stop.epoch), again_at }
end
local freed = finish_stop(field)
return { "released", to_serve(freed, freed ~= nil) }
