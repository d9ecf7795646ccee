-- pacing: how fast the line of a pool moves: the mean time between two places that were given to jobs which stood in it,
-- the newest weighing most. Written only then, so that a job which is offered at once costs nothing more. One hash a pool,
-- which goes when no place was given for long: `at` of the last one, `every` in ms, absent until two came in that time.
-- @family pace pace:

local WEIGHT, FORGET_MS = 0.2, 600000

-- The mean as it were if a place were given now, and how long ago the last one was; nil for what is not known.
local function pace_now(pool)
  local at, every = unpack(redis.call("HMGET", pace_of(pool), "at", "every"))
  local gap = at and math.max(0, now - tonumber(at))
  if not gap or gap > FORGET_MS then return nil, nil, nil end
  if not every then return gap, nil, gap end
  return tonumber(every) + WEIGHT * (gap - tonumber(every)), tonumber(every), gap
end

local function place_given(pool)
  local mean = pace_now(pool)
  redis.call("HSET", pace_of(pool), "at", string.format("%.0f", now))
  redis.call("PEXPIRE", pace_of(pool), FORGET_MS)
  if mean then
    redis.call("HSET", pace_of(pool), "every", string.format("%.3f", mean))
  else
    redis.call("HDEL", pace_of(pool), "every")
  end
end

-- How long who stands there may wait, in ms, at least 1; 0 when nothing is known. A silence that is longer than the mean counts as
-- if it ended now: a line that stopped moving gets slower.
local function estimated_wait(pool, position)
  local mean, every, gap = pace_now(pool)
  if not every then return 0 end
  if gap <= every then mean = every end
  return math.max(1, math.ceil((position + 1) * mean))
end
