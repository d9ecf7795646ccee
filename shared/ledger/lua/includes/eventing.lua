-- eventing: tells what happened to a job (domain/job-event), in the same breath as it happens, once: in the outbox of the
-- namespace, from where its host moves it on. When nobody listens, that costs one look a script.
-- @include listening
-- @key events events

-- About as many are kept when nobody moves them on; the oldest go.
local MOST_TOLD = 10000
local TOLD = { "state", "order", "type", "pool", "room", "room_sid", "session", "from", "wire", "agent_identity", "epoch",
  "attempts", "outcome", "reason", "error", "from_pool", "position", "estimated_wait", "held", "started_at", "ended_at" }

-- `job` as it was before the change, `changes` what is different now, or belongs to the event alone: reason, from,
-- from_pool, position, estimated_wait.
local function tell(event, id, job, changes)
  if not somebody_listens() then return end
  local fields = { "event", "agent_job_" .. event, "at", string.format("%.0f", now), "job", id }
  for _, field in ipairs(TOLD) do
    local value = changes[field]
    if value == nil then value = job[field] end
    if value and value ~= "" and value ~= 0 and value ~= "0" then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
  end
  redis.call("XADD", events_key, "MAXLEN", "~", MOST_TOLD, "*", unpack(fields))
end
