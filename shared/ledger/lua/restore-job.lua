-- restore-job: Redis has forgotten everything (a new generation), and a live gateway holds a job on one of its sockets:
-- it is written anew as that session runs it, with its order when that is missing too. The session is registered before.
-- Repeated: the same answer. `exists`: the ledger has the job in another way, or its order is over; then it says `ended`.
-- Dying after it: the job runs and has its place; the next assertion of the gateway agrees with it.
-- @key jobs jobs
-- @key room-orders room-orders:<room>
-- @include holding
-- @include queueing
-- @include ending
-- @arg room string Room name.
-- @arg job json:shapes.RestoredJob What the gateway knows of it.
-- @arg retain-ms int How long the job and its order are kept after they ended.
-- @arg wait-ms int How long the job may wait for a worker, should it ever have to again.
-- @reply restored
-- @reply exists state:string
-- @reply unknown_session

local gateway, pool = unpack(redis.call("HMGET", session_of(job.session), "gateway", "pool"))
if not pool then return { "unknown_session" } end
local known = read_job(job.id)
if known then
  local same = known.session == job.session and tonumber(known.epoch) == job.epoch and known.wire == job.wire
  if same and known.state == "running" then return { "restored" } end
  return { "exists", known.state }
end

local at = string.format("%.0f", now)
if job.order ~= "" then
  local state = redis.call("HGET", order_of(job.order), "state")
  if state and state ~= "live" then return { "exists", "ended" } end
  if not state then
    local fields = { "id", job.order, "room", room, "state", "live", "created_at", at, "deleted_at", "0", "ended_at", "0",
      "retain_ms", retain_ms, "target", "room" }
    for field, value in pairs(job.facts) do
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
    redis.call("HSET", order_of(job.order), unpack(fields))
    redis.call("ZADD", orders_key, at, job.order)
    redis.call("ZADD", room_orders_key, at, job.order)
  end
  redis.call("ZADD", order_jobs_of(job.order), 0, job.id)
end
write_job(job.id, { order = job.order, room = room, type = job.type, pool = pool, room_sid = job.room_sid,
  room_info = job.room_info, participant_info = job.participant_info, only = job.order == "" and job.session or "",
  agent_identity = job.agent_identity, priority = job.facts.priority, max_attempts = job.max_attempts, attempts = 1,
  retain_ms = retain_ms, wait_ms = wait_ms, wait_until = string.format("%.0f", now + wait_ms) }, at)
local restored = read_job(job.id)
local step, steps = step_with(restored, pool)
if step then stand_at(job.id, restored, steps, step, pool) end
take_over(job.id, restored, job.session, gateway, job.epoch, job.wire)
return { "restored" }
