-- suspending: the jobs of an order that is on hold. They are parked and stand in no line, so that they hold up nobody, and
-- no clock of theirs runs: how long they may wait, and their fallback, begin anew when they are let go. What remains is a
-- timer, far off, that looks whether their order is still there and still on hold.
-- @include waiting
-- @key held held

local LOOK_MS = 3600000

-- Members sort by order, so that those of one can be found.
local function held_member(id, job)
  return job.order .. "|" .. id
end

local function look_later(id)
  set_timer("job|" .. id, now + LOOK_MS)
end

-- A queued or parked job.
local function suspend(id, job)
  close_attempt(id, job, "held")
  redis.call("ZREM", parked_of(job.pool), id)
  redis.call("ZADD", held_key, 0, held_member(id, job))
  redis.call("HSET", job_of(id), "state", "parked", "held", 1, "updated_at", string.format("%.0f", now))
  look_later(id)
  tell("parked", id, job, { state = "parked", wire = job.wire or id, held = 1 })
end

-- To be called with the job as it was, whenever a waiting job goes on, or ends.
local function forget_hold(id, job)
  if job.held ~= "1" then return end
  redis.call("ZREM", held_key, held_member(id, job))
  redis.call("HDEL", job_of(id), "held")
end

-- Back among those that wait, as if it had come just now; its age is its own.
local function let_go(id, job)
  forget_hold(id, job)
  forget_refusals(id, job)
  job.held, job.wait_until = "0", string.format("%.0f", now + tonumber(job.wait_ms))
  redis.call("HSET", job_of(id), "wait_until", job.wait_until)
end

-- Jobs of an order that are on hold, `limit` at most.
local function list_held(order, limit)
  local ids = {}
  local first, last = "[" .. order .. "|", "[" .. order .. "|\255"
  for _, member in ipairs(redis.call("ZRANGEBYLEX", held_key, first, last, "LIMIT", 0, limit)) do
    ids[#ids + 1] = string.sub(member, #order + 2)
  end
  return ids
end
