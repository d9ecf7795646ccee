-- holding: a worker is known to run a job: its holder is back, or Redis forgot that it began.
-- @include reserving
-- @include waiting

-- An orphan whose session is there again runs again, in the place that was kept for it.
local function runs_again(job_id)
  redis.call("HSET", job_of(job_id), "state", "running", "updated_at", now)
  redis.call("ZREM", deadlines_key, "job|" .. job_id)
end

-- Redis came back without its last second, and a live gateway holds the assignment of an epoch that the ledger has not
-- seen accepted: the worker runs it, so what the ledger remembers instead is taken back.
local function recover(job_id, job, session_id, gateway, epoch, wire)
  if job.session ~= session_id or tonumber(job.epoch) ~= epoch then release(job_id, job) end
  local offers = math.max(tonumber(job.offers), tonumber(string.match(wire, "%.(%d+)$") or 1))
  redis.call("HSET", job_of(job_id), "state", "running", "epoch", epoch, "offers", offers, "wire", wire,
    "session", session_id, "gateway", gateway, "started_at", now, "running_at", now, "updated_at", now)
  redis.call("ZREM", parked_of(job.pool), job_id)
  redis.call("ZREM", deadlines_key, "job|" .. job_id)
  redis.call("ZADD", session_jobs_of(session_id), now, reservation(job_id, epoch))
  place(session_id)
end
