-- placing: whether a session can be offered work, how loaded it is taken to be, and where it stands in its pool.
-- @include policies
-- @family session session:
-- @family session-jobs session-jobs:
-- @family pool pool:
-- @family reserved reserved:

-- Why the state of a session, whatever its load, leaves no room there; nil when it does not.
local function closed_by(status, draining, drained, cooling_until, enters)
  if draining == "1" then return "draining" end
  if drained then return "drained" end
  if tonumber(cooling_until) > now then return "cooling" end
  if enters and tonumber(enters) > now then return "entering" end
  if status ~= "available" then return "full" end
  return nil
end

-- What is true of a session now: pool, gateway, projected load, its rank by load, the bounds on load and jobs, and a verdict: `room`,
-- `reserved` (room for jobs of high priority alone), or why there is none. nil when it is gone.
-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did
-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very
-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.
-- `whatever_it_says`: as if it were available, for a worker that takes a job in that moment.
local function measure(id, whatever_it_says)
  local pool, gateway, status, draining, drained, cooling_until, load, cost, learnt, max_load, cap, sampled_at, enters,
    surplus, labels, ejected_at, answer_ms, floor, floor_cost = unpack(redis.call("HMGET", session_of(id), "pool", "gateway", "status", "draining",
      "drained", "cooling_until", "load", "cost", "learnt_cost", "max_load", "cap", "sampled_at", "entering_until", "surplus",
      "labels", "ejected_at", "answer_ms", "load_floor", "floor_cost"))
  if not pool then return nil end
  local policy = placement_policy(pool)
  local uncounted = redis.call("ZCOUNT", session_jobs_of(id), sampled_at, "+inf")
  local job_load = tonumber(learnt or policy.job_load or cost)
  local most_load, most_jobs = policy.max_load or tonumber(max_load), policy.max_jobs or tonumber(cap)
  local at = { pool = pool, gateway = gateway, load = math.min(1, tonumber(load) + uncounted * job_load),
    labels = labels or "", job_load = job_load, most_load = most_load, most_jobs = most_jobs, surplus = tonumber(surplus or 0),
    answer_ms = tonumber(answer_ms), tried_since = ejected_at and tonumber(cooling_until) }
  -- Where its word does not fit its jobs (includes/weighing), it stands where its peers would. Those that are to be filled
  -- first it would only come before.
  at.rank = at.load
  if floor and policy.strategy ~= "pack" then
    at.rank = math.min(1, math.max(at.load, tonumber(floor) + uncounted * tonumber(floor_cost)))
  end
  at.verdict = closed_by(whatever_it_says and "available" or status, draining, drained, cooling_until, enters)
  -- One place at a time of those given since it was ejected (includes/ejecting).
  if not at.verdict and ejected_at and redis.call("ZCOUNT", session_jobs_of(id), ejected_at, "+inf") > 0 then
    at.verdict = "probation"
  end
  if at.verdict then return at end

  -- Until its first sample a session is taken at load 0, one job at a time; nothing is counted then.
  if sampled_at == "0" and uncounted > 0 then
    at.verdict = "unknown_load"
    return at
  end
  local jobs = most_jobs > 0 and redis.call("ZCARD", session_jobs_of(id)) + at.surplus or 0
  if most_jobs > 0 and jobs >= most_jobs then at.verdict = "cap"
  elseif at.load >= most_load then at.verdict = "load"
  elseif most_jobs > 0 and jobs >= most_jobs - (policy.reserved_jobs or 0) then at.verdict = "reserved"
  elseif at.load >= most_load - (policy.reserved_load or 0) then at.verdict = "reserved"
  else at.verdict = "room" end
  return at
end

-- The sessions of a pool that have a label stand in a set of their own as well.
local function labelled(pool, label)
  return pool .. "|" .. label
end

local function stand(id, name, verdict, load)
  for room, key in pairs({ room = pool_of(name), reserved = reserved_of(name) }) do
    if verdict == room then redis.call("ZADD", key, load, id) else redis.call("ZREM", key, id) end
  end
end

local function leave_pool(id, pool, labels)
  stand(id, pool, "gone")
  for label in string.gmatch(labels or "", "[^;]+") do stand(id, labelled(pool, label), "gone") end
end

-- Puts the session where it belongs: in its pool at its projected load, among those with room for high priority alone, or
-- in neither. True when it has room for anybody; and its pool.
local function place(id)
  local at = measure(id)
  if not at then return false, nil end
  local load = string.format("%.6f", at.rank)
  stand(id, at.pool, at.verdict, load)
  for label in string.gmatch(at.labels, "[^;]+") do stand(id, labelled(at.pool, label), at.verdict, load) end
  return at.verdict == "room" or at.verdict == "reserved", at.pool
end

-- Whether anybody in the pool has room, be it for jobs of high priority alone.
local function pool_has_room(pool)
  return redis.call("ZCARD", pool_of(pool)) > 0 or redis.call("ZCARD", reserved_of(pool)) > 0
end
