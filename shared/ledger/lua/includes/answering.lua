-- answering: how long a worker may take to answer an offer. `answer_ms` of a session: what its gateway gives it now, in ms;
-- absent: the gateway's default. What the workers of a pool were late by teaches the others of it: `answer-time:<pool>` holds
-- the newest lesson for a quarter of an hour: whoever hangs is waited for as long.
-- @include waiting
-- @key deadlines deadlines
-- @family session session:
-- @family answer-time answer-time:

local LESSON_MS = 900000

-- What was learnt in the pool last, in ms; 0 when nothing was.
local function taught_answer_ms(pool)
  return tonumber(redis.call("GET", answer_time_of(pool)) or 0)
end

local function teach_answer_ms(pool, answer_ms)
  redis.call("SET", answer_time_of(pool), answer_ms, "PX", LESSON_MS)
end

-- Never shortens: what is known to be needed by one is not too long for another.
local function lengthen_answer(id, pool, own_ms, answer_ms)
  if answer_ms > (own_ms or 0) then redis.call("HSET", session_of(id), "answer_ms", answer_ms) end
  if answer_ms >= taught_answer_ms(pool) then teach_answer_ms(pool, answer_ms) end
end

-- Asked, and not done answering: it gets no offers meanwhile. One that was ejected gets one at a time anyway.
local function await_late_answer(id, until_ms)
  local ejected_at, cooling_until, enters = unpack(redis.call("HMGET", session_of(id), "ejected_at", "cooling_until",
    "entering_until"))
  if ejected_at or not cooling_until or tonumber(cooling_until) >= until_ms then return end
  redis.call("HSET", session_of(id), "cooling_until", string.format("%.0f", until_ms))
  set_timer("session|" .. id, math.max(until_ms, tonumber(enters or 0)))
end

-- It answered: whatever else it owes, it is alive.
local function end_late_wait(id)
  local ejected_at, cooling_until, enters = unpack(redis.call("HMGET", session_of(id), "ejected_at", "cooling_until",
    "entering_until"))
  if ejected_at or not cooling_until or tonumber(cooling_until) <= now then return end
  redis.call("HSET", session_of(id), "cooling_until", 0)
  if enters and tonumber(enters) > now then
    set_timer("session|" .. id, enters)
  else
    redis.call("ZREM", deadlines_key, "session|" .. id)
  end
end
