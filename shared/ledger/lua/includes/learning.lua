-- learning: what one more job costs a session, from how its load moves with the jobs it holds.
-- The slope of a line through the points (jobs, load), each point counting less with every one that follows. A point is a
-- sample between which and the one before nothing began or ended, so that the worker's own averaging has settled; of one
-- stretch without change only the first few count, or a long call would make the slope forget everything else.
-- A line needs rest, and a burst leaves none. So jobs that are there for a second also say at once when they cost far less than
-- was thought: they cannot cost more than all the load there is.
-- @include placing

local FADE, MOST_POINTS = 0.9, 4
-- Below this the points say nothing of a slope.
local LEAST_SPREAD = 0.2
-- As if so many points had said what was taken for true before.
local DOUBT = 2
local LEAST_COST, MOST_COST = 0.005, 1

-- `kept` is what this function answered last time, "" at first. Second value: the cost, when something was learnt.
local function learn(kept, jobs, load, default)
  local weight, n, l, nn, nl, last, points = string.match(kept, "^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$")
  weight, n, l, nn, nl = tonumber(weight or 0), tonumber(n or 0), tonumber(l or 0), tonumber(nn or 0), tonumber(nl or 0)
  if tonumber(last) ~= jobs then
    return string.format("%.6g %.6g %.6g %.6g %.6g %d 0", weight, n, l, nn, nl, jobs), nil
  end
  if tonumber(points) >= MOST_POINTS then return kept, nil end
  weight, n, l = weight * FADE + 1, n * FADE + jobs, l * FADE + load
  nn, nl = nn * FADE + jobs * jobs, nl * FADE + jobs * load
  local now_kept = string.format("%.6g %.6g %.6g %.6g %.6g %d %d", weight, n, l, nn, nl, jobs, points + 1)
  local spread = nn / weight - (n / weight) ^ 2
  if spread < LEAST_SPREAD then return now_kept, nil end
  local slope = (nl / weight - (n / weight) * (l / weight)) / spread
  local cost = (DOUBT * default + weight * slope) / (DOUBT + weight)
  return now_kept, math.max(LEAST_COST, math.min(MOST_COST, cost))
end

-- Of a load that the SDKs average over 2.5 s, so much of a job that began a second ago is in it.
local SEEN_AFTER_MS, SEEN = 1000, 0.4
-- So many jobs, seen whole, say enough; and nothing is made of a difference that an average can explain.
local LEAST_SEEN, FAR_LESS = 2, 0.5
local HASTE = 0.75

-- The cost, when the jobs of the session say that it is far less than `believed`; else nil. Only lowers it.
local function learn_less(id, jobs, load, believed)
  if believed <= LEAST_COST or jobs * SEEN < LEAST_SEEN or load >= jobs * SEEN * believed * FAR_LESS then return nil end
  local seen = SEEN * redis.call("ZCOUNT", session_jobs_of(id), "-inf", now - SEEN_AFTER_MS)
  if seen < LEAST_SEEN or load >= seen * believed * FAR_LESS then return nil end
  return math.max(LEAST_COST, believed + HASTE * (load / seen - believed))
end
