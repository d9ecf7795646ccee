-- placing: whether a session can be offered work, and at which projected load it stands in its pool.
-- @include records
-- @family session session:
-- @family session-jobs session-jobs:
-- @family pool pool:

-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.
-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did
-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very
-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.
local function place(id)
  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at, enters = unpack(redis.call(
    "HMGET", session_of(id), "pool", "status", "draining", "cooling_until", "load", "cost", "max_load", "cap",
    "sampled_at", "entering_until"))
  if not pool then return false, nil end
  local entered = not enters or tonumber(enters) <= now
  if status == "available" and draining ~= "1" and tonumber(cooling_until) <= now and entered then
    local uncounted = redis.call("ZCOUNT", session_jobs_of(id), sampled_at, "+inf")
    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))
    local below_cap = cap == "0" or redis.call("ZCARD", session_jobs_of(id)) < tonumber(cap)
    -- Until its first sample a session is taken at load 0, one job at a time; nothing is counted then.
    local known = sampled_at ~= "0" or uncounted == 0
    if projected < tonumber(max_load) and below_cap and known then
      redis.call("ZADD", pool_of(pool), string.format("%.6f", projected), id)
      return true, pool
    end
  end
  redis.call("ZREM", pool_of(pool), id)
  return false, pool
end
