-- ending: the one way a job ends. Ended is final; what comes later is counted and changes nothing.
-- @include reserving
-- @include orphaning
-- @include suspending
-- @include awaiting
-- @include splitting
-- @key jobs jobs
-- @key ended-jobs ended-jobs
-- @key orders orders
-- @key ended-orders ended-orders
-- @family order order:
-- @family order-jobs order-jobs:

-- Whether a failed job is tried again: on_failure, or never; nil for one without an order. A job that had started when its
-- order was changed keeps what it began with.
local function policy_for(job)
  if job.restart_policy ~= "" then return job.restart_policy end
  return job.order ~= "" and redis.call("HGET", order_of(job.order), "restart_policy") or nil
end

-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.
local function keep_until_swept(retain_ms)
  redis.call("ZADD", deadlines_key, "NX", now + retain_ms, "sweep")
end

-- `cause`: why, in a word.
local function end_order(id, state, cause, retain_ms)
  redis.call("HSET", order_of(id), "state", state, "cause", cause, "ended_at", now)
  stop_awaiting(id)
  redis.call("ZREM", orders_key, id)
  redis.call("ZADD", ended_orders_key, now, id)
  keep_until_swept(retain_ms)
end

-- An order that is not open has all its jobs from the start: it ends with the last of them. An open one that is left with
-- none, and whose room is not there, waits for it.
local function end_order_when_done(id)
  local state, open, retain = unpack(redis.call("HMGET", order_of(id), "state", "open", "retain_ms"))
  if state ~= "live" then return end
  if open == "1" then return await_room(id) end
  if redis.call("ZCOUNT", order_jobs_of(id), 0, 0) == 0 then end_order(id, "ended", "jobs_ended", tonumber(retain)) end
end

-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.
-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.
local function end_job(job_id, job, outcome, cause, message, keep_place)
  redis.call("HSET", job_of(job_id), "state", "ended", "outcome", outcome, "cause", cause, "error", message,
    "ended_at", now, "updated_at", now)
  redis.call("ZREM", jobs_key, job_id)
  redis.call("ZADD", ended_jobs_key, now, job_id)
  redis.call("ZREM", deadlines_key, "job|" .. job_id)
  redis.call("ZREM", parked_of(job.pool), job_id)
  note_end(job_id, job, outcome, cause)
  forget_orphan(job_id, job)
  forget_hold(job_id, job)
  local ended = { state = "ended", outcome = outcome, reason = cause, error = message, ended_at = now }
  if outcome == "expired" then tell("expired", job_id, job, ended) end
  tell("ended", job_id, job, ended)
  if job.order ~= "" then
    redis.call("ZADD", order_jobs_of(job.order), "XX", now, job_id)
    end_order_when_done(job.order)
  end
  keep_until_swept(tonumber(job.retain_ms))
  if keep_place then return false end
  return release(job_id, job)
end
