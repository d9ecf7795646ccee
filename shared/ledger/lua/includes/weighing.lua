-- weighing: whether what a worker says of its load fits the jobs that it has had for a while, by what a job costs its peers. One
-- that says far less is taken at what its peers would have: among those with room it stands there. Whether it has room stays its
-- own word, so one whose jobs are light indeed is asked as often as a peer, and never kept from work.
-- What a job costs is the upper median of what some of the pool have learnt from jobs of their own, looked at every 10 s: one
-- that says what it likes does not move it, also where there are two. Where fewer than three have learnt, what a job is
-- usually taken to cost (the policy's, or the configured one) counts as one more: else whoever says 0 from the start takes all,
-- and nobody else ever learns.
-- @include policies
-- @key costs costs
-- @family session session:
-- @family session-jobs session-jobs:
-- @family pool-sessions pool-sessions:

-- The SDKs average a load over 2.5 s: younger jobs are not in it.
local IN_LOAD_MS, LEAST_HELD, FITS = 2500, 3, 0.2
local PEERS, FEW, LOOK_EVERY_MS = 9, 3, 10000
-- It is named when that is so in several samples in a row, and by what two have learnt of jobs that cost enough to be seen.
local NAMED_AFTER, LEAST_NAMED, FEWEST_NAMING = 4, 0.02, 2

local function look_at_peers(pool)
  local known, usual = {}, placement_policy(pool).job_load
  for _, id in ipairs(redis.call("ZRANDMEMBER", pool_sessions_of(pool), PEERS)) do
    local taught, cost, configured = unpack(redis.call("HMGET", session_of(id), "taught", "learnt_cost", "cost"))
    usual = usual or tonumber(configured)
    if taught and cost then known[#known + 1] = tonumber(cost) end
  end
  local teachers = #known
  if teachers < FEW then known[teachers + 1] = usual or 0 end
  table.sort(known)
  return known[math.floor(#known / 2) + 1], teachers
end

local cost_by_pool, teachers_by_pool = {}, {}
-- What one job costs a worker of the pool, and how many have learnt that.
local function peers_cost(pool)
  if cost_by_pool[pool] then return cost_by_pool[pool], teachers_by_pool[pool] end
  local field = pool .. "|peers"
  local kept, at, count = string.match(redis.call("HGET", costs_key, field) or "", "^(%S+) (%S+) (%S+)$")
  local cost, teachers = tonumber(kept or 0), tonumber(count or 0)
  if not at or tonumber(at) <= now - LOOK_EVERY_MS then
    cost, teachers = look_at_peers(pool)
    redis.call("HSET", costs_key, field, string.format("%.6g %.0f %d", cost, now, teachers))
  end
  cost_by_pool[pool], teachers_by_pool[pool] = cost, teachers
  return cost, teachers
end

-- `jobs`: those that the sample may have in it. The load that it is taken to have at least, and what one more job adds to
-- that; nil where its word fits.
local function load_by_count(id, pool, jobs, load)
  if jobs < LEAST_HELD or load >= jobs * FITS then return nil end
  local cost, teachers = peers_cost(pool)
  if load >= jobs * FITS * cost then return nil end
  local held = redis.call("ZCOUNT", session_jobs_of(id), "-inf", now - IN_LOAD_MS)
  if held < LEAST_HELD or load >= held * FITS * cost then return nil end
  return held * cost, cost, teachers
end

-- The fields of the session that change, those that go, and whether it is news that its word does not fit, or fits again.
local function weigh(id, session, jobs, load)
  local floor, cost, teachers = load_by_count(id, session.pool, jobs, load)
  local times = tonumber(session.misfits or 0)
  if not floor then
    return {}, times > 0 and { "load_floor", "floor_cost", "misfits" } or {}, times >= NAMED_AFTER, 0
  end
  local next_times = (cost < LEAST_NAMED or teachers < FEWEST_NAMING) and math.max(1, times) or math.min(NAMED_AFTER, times + 1)
  local fields = { "load_floor", string.format("%.6g", floor), "floor_cost", string.format("%.6g", cost), "misfits", next_times }
  return fields, {}, next_times >= NAMED_AFTER and times < NAMED_AFTER, floor
end
