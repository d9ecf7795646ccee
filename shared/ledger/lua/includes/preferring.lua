-- preferring: whom a job would rather have and whom it must not have, as its order says (shapes.Preferences): workers that are
-- left out; the worker that took the last job of the same key; workers with certain labels, in steps that loosen with time.
-- Times count from when the job began to wait, as those of its fallback.
-- @include jobs
-- @include placing
-- @include sticking

local function waits_since(job)
  return math.max(tonumber(job.wait_until) - tonumber(job.wait_ms), tonumber(job.not_before))
end

-- When the next of its wishes is given up; nil when none is. `loosens` of a job: those times, in ms of waiting, ascending.
local function next_loosening(job)
  if job.loosens == "" then return nil end
  local since = waits_since(job)
  for after in string.gmatch(job.loosens, "%d+") do
    if since + after > now then return since + after end
  end
  return nil
end

-- What holds for the job now: `left_out` (a set), `favourite` (a session that is there), `insists` (on the favourite), and
-- `labels` that are needed, as `name=value`. nil: whoever it is.
local function wishes_for(job, text)
  if not text then return nil end
  local prefer, waited = cjson.decode(text), now - waits_since(job)
  local wishes = { left_out = {} }
  for _, id in ipairs(prefer.exclude or {}) do wishes.left_out[id] = true end
  if prefer.sticky then
    local favourite = redis.call("GET", sticky_of(prefer.sticky.key))
    local pool, draining, drained, cooling_until = unpack(favourite and redis.call("HMGET", session_of(favourite), "pool",
      "draining", "drained", "cooling_until") or {})
    if pool and pool == job.pool then
      -- Nobody waits for one that will not take it in that time: it goes, or is left alone for longer.
      local left_ms = (prefer.sticky.hold_ms or 0) - waited
      local may_come = draining ~= "1" and not drained and tonumber(cooling_until) < now + left_ms
      wishes.favourite, wishes.insists = favourite, left_ms > 0 and may_come
    end
  end
  local ends = 0
  for index, step in ipairs(prefer.labels or {}) do
    ends = ends + step.for_ms
    if waited < ends or (prefer.otherwise == "nobody" and index == #prefer.labels) then
      wishes.labels = step.match
      break
    end
  end
  return wishes
end

-- Why the job does not want this session, which is measured; nil when it would take it.
local function objection(wishes, id, at)
  if not wishes then return nil end
  if wishes.left_out[id] then return "left_out" end
  if wishes.insists and id ~= wishes.favourite then return "not_favourite" end
  for _, label in ipairs(wishes.labels or {}) do
    if not string.find(";" .. at.labels .. ";", ";" .. label .. ";", 1, true) then return "labels" end
  end
  return nil
end
