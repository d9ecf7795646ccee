-- siding: at which of two deployments a job stands that a split divides. Drawn once, from the job's id, at its first try: so
-- many in a hundred go to the candidate. Above all a caller is served: a side where nobody could ever take the job is none,
-- and below 100 percent nobody waits for the candidate while the stable one is served.
-- @include splitting
-- @include placing
-- @family pool-sessions pool-sessions:

local MOST_ASKED_ABOUT = 32
local IS_GOING = { draining = true, drained = true }

-- Whether somebody there can be waited for: a session that is not about to go.
local function is_served(pool)
  if pool_has_room(pool) then return true end
  for _, id in ipairs(redis.call("ZREVRANGE", pool_sessions_of(pool), 0, MOST_ASKED_ABOUT - 1)) do
    local at = measure(id)
    if at and not IS_GOING[at.verdict] then return true end
  end
  return false
end

-- From 0 up to 100, the same for the same job.
local function draw_percent(id)
  return tonumber(string.sub(redis.sha1hex("split:" .. id), 1, 8), 16) / 4294967296 * 100
end

-- Between which pools a job is divided: one that a split placed, or is to place now; nil for any other: its order names a
-- deployment, somebody was asked for it before the split, or it has gone on to a fallback. `is_open`: the candidate may have it.
local function read_sides(job)
  if job.fallback_step ~= "0" then return nil end
  local is_new = job.split_state == ""
  if is_new and (job.epoch ~= "0" or job.order == "" or string.sub(job.pool, -1) ~= "/") then return nil end
  local agent = agent_in(job.pool)
  local split = read_split(agent)
  if is_new and not split then return nil end
  local before = is_new and string.match(job.pool, "^[^/]*/[^/]*/")
  local id = split and split_id(split)
  local is_ours = split and (is_new or id == job.split)
  return {
    is_new = is_new, agent = agent, id = id,
    stable = is_new and before .. split.stable or job.split_stable,
    candidate = is_new and before .. split.candidate or job.split_candidate,
    percent = is_ours and percent_now(split) or 0,
    is_open = is_ours and not split.rolled_back_at and job.split_state ~= "spent",
    is_rolled_back = is_ours and split.rolled_back_at ~= nil,
  }
end

local function better_side(job, sides)
  local is_candidate = job.pool == sides.candidate
  if sides.is_new then is_candidate = draw_percent(job.id) < sides.percent end
  local wanted, other = sides.stable, sides.candidate
  if sides.is_open and is_candidate then wanted, other = other, wanted end
  if is_served(wanted) or (other == sides.candidate and sides.is_rolled_back) then return wanted end
  return is_served(other) and other or wanted
end

-- Whether the candidate must take the job at once, or not have it: others would.
local function waits_elsewhere(job, sides)
  if job.pool ~= sides.candidate or not is_served(sides.stable) then return false end
  return sides.percent < 100 or job.split_state == "refused"
end

-- Whether a parked job was to be looked at, and not tried: `due` was its timer. A wish that it gives up just now has it tried.
local function is_only_looked_at(job, due)
  if not waits_at_side(job) or job.excluded ~= "" or job.suspect_at ~= "0" then return false end
  for after in string.gmatch(job.loosens, "%d+") do
    local loosens_at = waits_since(job) + after
    if loosens_at >= due and loosens_at <= now then return false end
  end
  return true
end

-- Whether it stands where it should.
local function stands_well(job)
  local sides = read_sides(job)
  return not sides or (job.pool == better_side(job, sides) and not waits_elsewhere(job, sides))
end
