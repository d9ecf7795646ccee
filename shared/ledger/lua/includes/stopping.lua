-- stopping: who must still be told to stop what. The message to the gateway is only a hint of it; the stop is told
-- again with every lease renewal until the worker has confirmed it, or its time is over.
-- @include ending
-- @key stops stops
-- @family gateway-stops gateway-stops:

local function stop_field(session_id, wire)
  return session_id .. "|" .. wire
end

-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the
-- stop to deliver. With `remove_at`, from then on it is looked whether the agent is still in its room (expire-stop).
-- A job without a session has an agent to look for, and nobody to tell.
local function add_stop(job_id, job, reason, until_ms, remove_at)
  local field = stop_field(job.session, job.wire)
  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire, epoch = job.epoch,
    reason = reason }
  local is_looked_for = remove_at and remove_at < until_ms and job.agent_identity ~= ""
  if is_looked_for then
    stop.room, stop.identity, stop.ends_at, stop.looks = job.room, job.agent_identity, until_ms, 0
    stop.seen = job.participant_sid ~= ""
    stop.pool, stop.started_at = job.pool, tonumber(job.started_at)
  end
  redis.call("HSET", stops_key, field, cjson.encode(stop))
  if job.session ~= "" then redis.call("SADD", gateway_stops_of(job.gateway), field) end
  set_timer("stop|" .. field, is_looked_for and remove_at or until_ms)
  return stop
end

-- A session brought a job that is over, or held elsewhere: it runs there until it was told, beside what else it has.
-- The place goes by the wire id, for which epoch that was is forgotten. Repeated, it does not begin anew.
local function stop_brought(job_id, session_id, gateway, wire, until_ms)
  if redis.call("HEXISTS", stops_key, stop_field(session_id, wire)) == 1 then return end
  local brought = { session = session_id, gateway = gateway, wire = wire, epoch = wire }
  add_stop(job_id, brought, "the job is over or runs elsewhere", until_ms)
  redis.call("ZADD", session_jobs_of(session_id), now, reservation(job_id, wire))
end

-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.
local function finish_stop(field)
  local stop = cjson.decode(redis.call("HGET", stops_key, field))
  redis.call("HDEL", stops_key, field)
  redis.call("SREM", gateway_stops_of(stop.gateway), field)
  redis.call("ZREM", deadlines_key, "stop|" .. field)
  if stop.session == "" then return nil end
  redis.call("ZREM", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))
  local has_room, pool = place(stop.session)
  return has_room and pool or nil
end

-- Stops the agent of an orphan: it is looked for in its room, and its place is kept in case that its session only lapsed.
-- One that was never seen may still be starting: it is looked for until its start deadline at least.
local function stop_orphan(job_id, job, reason, until_ms, remove_at)
  local seen_by = job.participant_sid == "" and tonumber(job.unseen_until) or 0
  return add_stop(job_id, job, reason, math.max(until_ms, seen_by), remove_at)
end

-- Looks for the agent of a job that nobody holds any more: its former worker was lost, and its agent may be there.
local function stop_former(job_id, job, reason, until_ms)
  local former = setmetatable({ session = "", gateway = "" }, { __index = job })
  add_stop(job_id, former, reason, until_ms, now)
end

-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it or may come back with it; and
-- whether that made room. `remove_ms`: when its agent is looked for in its room; 0 = nobody can.
local function terminate_job(job_id, job, cause, reason, until_ms, remove_ms)
  local can_look = remove_ms > 0
  local remove_at = can_look and now + remove_ms or nil
  local stop = nil
  -- A worker that reported the end of its job has nothing to stop; its agent may still come.
  if (job.state == "starting" or job.state == "running") and job.reported == "" then
    stop = add_stop(job_id, job, reason, until_ms, remove_at)
  elseif can_look and job.agent_identity ~= "" then
    if job.state == "orphaned" then stop = stop_orphan(job_id, job, reason, until_ms, remove_at)
    else stop_former(job_id, job, reason, until_ms) end
  end
  return stop, end_job(job_id, job, "canceled", cause, reason, stop ~= nil)
end
