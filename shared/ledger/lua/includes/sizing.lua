-- sizing: how many jobs a session has and could still be given, by the very terms by which it is placed.
-- @include placing

-- A worker whose jobs are taken to cost nothing, and that has no cap, has no number of its own.
local MOST_SLOTS = 1000
local CLOSED = { draining = true, drained = true, cooling = true }
-- One on probation has its one job.
local NOTHING_LEFT = { full = true, probation = true }

-- How many more until the projected load reaches the maximum, or the jobs theirs. Room that is reserved is room.
local function slots_left(at, held)
  local left = MOST_SLOTS
  if at.job_load > 0 then left = math.ceil((at.most_load - at.load) / at.job_load - 0.000001) end
  if at.most_jobs > 0 then left = math.min(left, at.most_jobs - held - at.surplus) end
  return math.max(0, math.min(MOST_SLOTS, left))
end

-- Places taken, places left, how it is (available, full, cooling, draining, or drained by an operator), and its gateway. nil
-- when it is gone. A session that said no load yet counts as if it had none.
local function session_size(id)
  local at = measure(id)
  if not at then return nil end
  local held = redis.call("ZCARD", session_jobs_of(id))
  if CLOSED[at.verdict] then return held, 0, at.verdict, at.gateway end
  local left = NOTHING_LEFT[at.verdict] and 0 or slots_left(at, held)
  return held, left, left > 0 and "available" or "full", at.gateway
end
