-- weighing: whether what a worker says of its load fits the jobs that it has had for a while, by what a job costs its peers. One
-- that says far less is taken at what its peers would have: among those with room it stands there. Whether it has room stays its
-- own word, so one whose jobs are light indeed is asked as often as a peer, and never kept from work.
-- What a job costs is the upper median of what some of the pool have learnt from jobs of their own, looked at every 10 s: one
-- that says what it likes does not move it, also where there are two.
-- @key costs costs
-- @family session session:
-- @family session-jobs session-jobs:
-- @family pool-sessions pool-sessions:

-- The SDKs average a load over 2.5 s: younger jobs are not in it.
local IN_LOAD_MS, LEAST_HELD, FITS = 2500, 3, 0.2
local PEERS, LOOK_EVERY_MS = 9, 10000
-- It is named when that is so in several samples in a row, and the peers' jobs cost enough to be seen.
local NAMED_AFTER, LEAST_NAMED = 4, 0.02

local function look_at_peers(pool)
  local known = {}
  for _, id in ipairs(redis.call("ZRANDMEMBER", pool_sessions_of(pool), PEERS)) do
    local taught, cost = unpack(redis.call("HMGET", session_of(id), "taught", "learnt_cost"))
    if taught and cost then known[#known + 1] = tonumber(cost) end
  end
  table.sort(known)
  return known[math.floor(#known / 2) + 1] or 0
end

local cost_by_pool = {}
-- What one job costs a worker of the pool; 0 when nobody has learnt it.
local function peers_cost(pool)
  local cost = cost_by_pool[pool]
  if cost then return cost end
  local field = pool .. "|peers"
  local kept, at = string.match(redis.call("HGET", costs_key, field) or "", "^(%S+) (%S+)$")
  cost = tonumber(kept or 0)
  if not at or tonumber(at) <= now - LOOK_EVERY_MS then
    cost = look_at_peers(pool)
    redis.call("HSET", costs_key, field, string.format("%.6g %.0f", cost, now))
  end
  cost_by_pool[pool] = cost
  return cost
end

-- `jobs`: those that the sample may have in it. The load that it is taken to have at least, and what one more job adds to
-- that; nil where its word fits.
local function load_by_count(id, pool, jobs, load)
  if jobs < LEAST_HELD or load >= jobs * FITS then return nil end
  local cost = peers_cost(pool)
  if load >= jobs * FITS * cost then return nil end
  local held = redis.call("ZCOUNT", session_jobs_of(id), "-inf", now - IN_LOAD_MS)
  if held < LEAST_HELD or load >= held * FITS * cost then return nil end
  return held * cost, cost
end

-- The fields of the session that change, those that go, and whether it is news that its word does not fit, or fits again.
local function weigh(id, session, jobs, load)
  local floor, cost = load_by_count(id, session.pool, jobs, load)
  local times = tonumber(session.misfits or 0)
  if not floor then
    return {}, times > 0 and { "load_floor", "floor_cost", "misfits" } or {}, times >= NAMED_AFTER, 0
  end
  local next_times = cost < LEAST_NAMED and math.max(1, times) or math.min(NAMED_AFTER, times + 1)
  local fields = { "load_floor", string.format("%.6g", floor), "floor_cost", string.format("%.6g", cost), "misfits", next_times }
  return fields, {}, next_times >= NAMED_AFTER and times < NAMED_AFTER, floor
end
