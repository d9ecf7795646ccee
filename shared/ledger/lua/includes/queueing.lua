-- queueing: how a job begins: QUEUED, with every field that a job has.
-- @include waiting
-- @key jobs jobs

-- `job` gives what is particular to it: order, room, type, pool, room_sid, room_info, participant_info, only, priority.
-- Numbers go as text, as Redis writes one that comes from Lua anew for each field.
local function queue_job(id, job, retain_ms, guard_ms, wait_ms)
  local at = string.format("%.0f", now)
  redis.call("HSET", job_of(id), "state", "queued", "session", "", "epoch", "0", "order", job.order, "pool", job.pool,
    "wire", id, "gateway", "", "id", id, "outcome", "", "cause", "", "error", "", "offers", "0", "attempts", "0",
    "rounds", "0", "refused_epoch", "0", "type", job.type, "room", job.room, "room_sid", job.room_sid,
    "room_info", job.room_info, "participant_info", job.participant_info, "only", job.only, "excluded", "",
    "agent_identity", "", "priority", job.priority, "created_at", at, "updated_at", at, "offered_at", "0",
    "started_at", "0", "running_at", "0", "orphaned_at", "0", "ended_at", "0",
    "wait_until", now + wait_ms, "retain_ms", retain_ms)
  redis.call("ZADD", jobs_key, at, id)
  set_timer("job|" .. id, now + guard_ms)
end
