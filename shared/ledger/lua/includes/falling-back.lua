-- falling-back: who is asked for a job, one after the other, when nobody takes it: its order's own agent, then those of its
-- fallback steps. `fallback_step` of a job is where it stands, 0 for its order's own; `fallback_after` is how long it waits
-- there, 0 when nobody is left to be asked.
-- @include waiting
-- @family order order:

-- { pool without the type, after_ms } of each, the order's own first; nil when the order has no fallback.
local function read_steps(job)
  local text = job.order ~= "" and redis.call("HGET", order_of(job.order), "fallback")
  return text and cjson.decode(text) or nil
end

local function pool_at(job, steps, step)
  return job.type .. "/" .. steps[step + 1].pool
end

-- The step at which the pool is asked: the latest before the job's own, else the first after it. nil when at none.
local function step_with(job, pool)
  local steps = read_steps(job) or {}
  -- Where a split of its order's agent may have placed it is where it begins, as is where it was before.
  local before = string.match(job.split_stable, "^[^/]*/[^/]*/")
  local is_side = pool == job.split_stable or pool == job.split_candidate or pool == before
  local own, found = tonumber(job.fallback_step), is_side and 0 or nil
  for step = 0, #steps - 1 do
    if pool_at(job, steps, step) == pool and (step <= own or not found) then found = step end
  end
  return found, steps
end

-- Whether a session of the pool was, or is to be, asked for the job at any of its steps.
local function may_have(job, pool)
  return job.pool == pool or step_with(job, pool) ~= nil
end

-- Where the job stands from now on. To be called once it is in no line.
local function stand_at(id, job, steps, step, pool)
  local following = steps[step + 2]
  redis.call("HSET", job_of(id), "pool", pool, "fallback_step", step,
    "fallback_after", following and following.after_ms or 0)
  job.pool = pool
end

-- The session's agent has the job, though another was to be asked next: that worker came back, or Redis forgot a step.
local function stand_with(id, job, pool)
  if job.pool == pool then return end
  local step, steps = step_with(job, pool)
  if step then stand_at(id, job, steps, step, pool) end
end

-- Nobody took the job: on to the next step. It keeps its age and priority; who refused it may be asked again.
local function fall_back(id, job)
  local from = job.pool
  redis.call("ZREM", parked_of(from), id)
  forget_refusals(id, job)
  close_attempt(id, job, "fell_back")
  local steps, step = read_steps(job), tonumber(job.fallback_step) + 1
  stand_at(id, job, steps, step, pool_at(job, steps, step))
  if job.split_state ~= "" then redis.call("HSET", job_of(id), "split_state", "spent") end
  tell("fallback", id, job, { state = "queued", from_pool = from })
end
