-- joining: how long an agent may take to join its room, from the start of its job: the start deadline; twice as long with each
-- further attempt, or a slow agent would be stopped every time just before it comes; and as long as the slowest one of its
-- pool needed lately. Never over four start deadlines: a caller waits behind one that does not come at all.
-- Kept in `join-time:<pool>`, for an hour after the last agent that needed it.
-- @family join-time join-time:

-- Who comes sooner needs no lesson.
local SLOW_MS = 5000
-- Whether the agent of a job that started has had its time, or is merely not there yet.
local function is_slow(job)
  return now - tonumber(job.started_at) > SLOW_MS
end

local LESSON_MS = 3600000
-- Not every agent is as fast as the slowest one that was seen.
local ALLOWANCE = 1.25
-- LONGEST_JOIN in shared/domain.
local MOST_DEADLINES = 4

local function longest_join(start_ms)
  return MOST_DEADLINES * start_ms
end

-- When a job that started is to have its agent in the room.
local function join_deadline(job, start_ms)
  local taught = tonumber(redis.call("GET", join_time_of(job.pool)) or 0)
  local given = start_ms * 2 ^ math.min(10, math.max(0, tonumber(job.attempts) - 1))
  return tonumber(job.started_at) + math.min(longest_join(start_ms), math.max(given, taught))
end

-- An agent of the pool came so long after its job had started.
local function learn_join(pool, took_ms)
  if took_ms <= SLOW_MS then return end
  local taught = tonumber(redis.call("GET", join_time_of(pool)) or 0)
  local needed = math.max(taught, math.ceil(took_ms * ALLOWANCE))
  redis.call("SET", join_time_of(pool), string.format("%.0f", needed), "PX", LESSON_MS)
end
