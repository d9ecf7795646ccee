-- expire-job: the timer of a job is due: its offer, its start, its back-off, its waiting time, its grace. What it means
-- is read off the job's state; a timer that was moved meanwhile is left alone.
-- @key job job:<job>
-- @include stopping
-- @include serving
-- @arg job string Job id.
-- @arg guard-ms int After this time a queued job is tried again if nobody did.
-- @arg stop-ms int How long a worker that never started may keep its place.
-- @arg max-attempts int Starts that may fail before the job does.
-- @reply requeued serve:string
-- @reply stopping stop:json:shapes.Stop|null
-- @reply ended outcome:string serve:string
-- @reply idle

local due = redis.call("ZSCORE", deadlines_key, "job|" .. job)
if not due or tonumber(due) > now then return { "idle" } end
local record = read_hash(job_key)
local state = record and record.state or "ended"
if state == "ended" or state == "running" then
  redis.call("ZREM", deadlines_key, "job|" .. job)
  return { "idle" }
end

-- Not an answer by the offer's deadline: the gateway that asked is gone or late. Nobody is blamed.
if state == "offered" then
  local got_room = release(job, record)
  requeue(job, now + guard_ms)
  return { "requeued", to_serve(record.pool, got_room) }
end

-- Accepted and never seen to run: stop it there, then try the next worker, which is due at once.
if state == "starting" then
  local stop = cjson.encode(add_stop(job, record, "the job was never seen to start", now + stop_ms))
  if tonumber(record.attempts) >= max_attempts then
    end_job(job, record, "failed", "never_started", "no worker started the job", true)
  else
    exclude(job, record, record.session)
    requeue(job, now)
  end
  return { "stopping", stop }
end

-- The holder did not come back, and nothing says how the job ended.
if state == "orphaned" then
  local got_room = end_job(job, record, "unknown", "worker_lost", "the worker was lost and did not come back", false)
  return { "ended", "unknown", to_serve(record.pool, got_room) }
end

-- The deletion of an order with many jobs stopped half-way.
if record.order ~= "" and redis.call("HGET", order_of(record.order), "state") ~= "live" then
  end_job(job, record, "canceled", "order_deleted", "the work order was deleted", false)
  return { "ended", "canceled", "" }
end
if now >= tonumber(record.wait_until) then
  end_job(job, record, "expired", "waited_too_long", "no worker took the job in time", false)
  return { "ended", "expired", "" }
end
-- Back-off over: those who refused may be asked again. Or nobody tried it: they stay excluded.
if state == "parked" then
  redis.call("HSET", job_key, "excluded", "")
  redis.call("ZREM", parked_of(record.pool), job)
end
requeue(job, now + guard_ms)
return { "requeued", "" }
