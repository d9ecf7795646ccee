-- change-order: the terms of a live order change, for its jobs that wait, or are offered, and for all that come. Those that
-- a worker has started are left alone, and keep what they began with should they wait again.
-- A waiting job moves to where its new priority puts it in line; what it may wait counts from when it began to wait, and what
-- the order may wait for its room from when that began.
-- An order with more jobs than `limit` is changed by repeating the call with `next` and `before` as answered, until the
-- cursor is "0": jobs that come or end meanwhile hide no other. Repeating all of it changes nothing.
-- Dying after it: the order has its new terms, jobs that were not reached have the old ones until the repeat.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include waiting
-- @include awaiting
-- @include waking
-- @arg order string Order id.
-- @arg changes json:shapes.OrderChanges What is to be different.
-- @arg before string The restart policy until now; empty when the caller does not know it.
-- @arg cursor string "0" to begin.
-- @arg limit int Jobs looked at in one call, more or less.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply changed next:string before:string
-- @reply closed state:string
-- @reply unknown
-- @reply unindexed rests:int

local state, policy = unpack(redis.call("HMGET", order_key, "state", "restart_policy"))
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
if before == "" then before = policy end
-- Its timer may come sooner than the index knows.
local moves_timer = changes.wait_ms and awaits_until(order)
if moves_timer and must_index(rests) then return { "unindexed", rests_so_far() } end
for field, value in pairs(changes) do redis.call("HSET", order_key, field, value) end
if moves_timer then
  await_room(order)
  stay_awake()
end

local function change_waiting(id, job)
  local due = tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. id))
  local backs_off = due < patience_ends(job)
  redis.call("HDEL", job_of(id), "restart_policy")
  for _, field in ipairs({ "priority", "max_attempts" }) do
    if changes[field] then
      redis.call("HSET", job_of(id), field, changes[field])
      job[field] = changes[field]
    end
  end
  if changes.wait_ms then
    local until_ms = tonumber(job.wait_until) - tonumber(job.wait_ms) + changes.wait_ms
    job.wait_ms, job.wait_until = changes.wait_ms, string.format("%.0f", until_ms)
    redis.call("HSET", job_of(id), "wait_ms", job.wait_ms, "wait_until", job.wait_until)
  end
  if job.state ~= "parked" or job.held == "1" then return end
  redis.call("ZADD", parked_of(job.pool), string.format("%.0f", rank(job)), id)
  set_timer("job|" .. id, backs_off and math.min(due, patience_ends(job)) or next_look(job))
end

local found = redis.call("ZSCAN", order_jobs_key, cursor, "COUNT", limit)
for index = 1, #found[2], 2 do
  local id = found[2][index]
  local job = read_job(id) or { state = "ended" }
  if job.state == "queued" or job.state == "parked" or job.state == "offered" then
    change_waiting(id, job)
  elseif job.state ~= "ended" and changes.restart_policy and changes.restart_policy ~= before and job.restart_policy == "" then
    redis.call("HSET", job_of(id), "restart_policy", before)
  end
end
return { "changed", found[1], before }
