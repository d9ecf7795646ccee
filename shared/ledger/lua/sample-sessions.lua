-- sample-sessions: a gateway's batch of load samples; a session that was waited for enters its pool with its first. A load that was refused at the door comes as -1: the last good one
-- stands, and so does the time from which jobs are counted on top of it.
-- Dying after it: the next sample, 2.5 s later, names the room again that nobody was told of.
-- @key deadlines deadlines
-- @include serving
-- @include placing
-- @arg gateway string Node id of the gateway; samples for sessions of another are ignored.
-- @arg samples json:shapes.LoadSample[] At most 256.
-- @reply sampled unknown:strings serve:strings

local unknown, serve = {}, {}
for _, sample in ipairs(samples) do
  local key = session_of(sample.session)
  if redis.call("HGET", key, "gateway") == gateway then
    local fields = { "status", sample.status, "draining", sample.draining and 1 or 0, "job_count", sample.job_count }
    if sample.load >= 0 then
      for _, value in ipairs({ "load", sample.load, "sampled_at", now }) do fields[#fields + 1] = value end
    end
    if sample.job_count > 0 then
      for _, value in ipairs({ "counts", 1 }) do fields[#fields + 1] = value end
    end
    redis.call("HSET", key, unpack(fields))
    redis.call("HDEL", key, "entering_until")
    local has_room, pool = place(sample.session)
    also_serve(serve, pool, has_room)
  else
    unknown[#unknown + 1] = sample.session
  end
end
return { "sampled", unknown, serve }
