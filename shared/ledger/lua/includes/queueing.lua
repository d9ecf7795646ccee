-- queueing: how a job begins: QUEUED, with what differs from the defaults (includes/jobs).
-- @include waiting
-- @key jobs jobs

-- Numbers go as text, as Redis writes one that comes from Lua anew for each field.
local function write_job(id, job, at)
  local fields = { "id", id, "wire", id, "created_at", at, "updated_at", at }
  for field, value in pairs(job) do
    if value ~= "" and value ~= 0 and value ~= "0" then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
  end
  redis.call("HSET", job_of(id), unpack(fields))
  redis.call("ZADD", jobs_key, at, id)
end

-- `job` gives what is particular to it: order, room, type, pool, room_sid, room_info, participant_info, only, priority,
-- max_attempts, fallback_after.
local function queue_job(id, job, retain_ms, guard_ms, wait_ms)
  job.id, job.state, job.retain_ms = nil, "queued", retain_ms
  job.wait_ms, job.wait_until = wait_ms, string.format("%.0f", now + wait_ms)
  write_job(id, job, string.format("%.0f", now))
  set_timer("job|" .. id, now + guard_ms)
  tell("queued", id, job, { wire = id })
end
