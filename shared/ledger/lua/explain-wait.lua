-- explain-wait: why nobody has a waiting job now: what it waits for, and how it stands with each session of its pool, some a
-- call, the longest connected first. Looks at what is true now, not at what the pool's set says. Reads only.
-- `why`: release (on hold) | back_off (those who refused, or a failure, are given time) | turn (about to be tried) | room.
-- Verdicts: room | excluded | gateway_gone | left_out, not_favourite, labels (its order's wishes) | suspect_job | another (a simulated job
-- knows its only session), and what `measure` says; what is reserved for high priority is room for a job that has it.
-- @key job job:<job>
-- @key gateways gateways
-- @key deadlines deadlines
-- @include waiting
-- @include placing
-- @include sparing
-- @family order order:
-- @family pool-sessions pool-sessions:
-- @arg job string Job id.
-- @arg first int Rank of the first session to look at.
-- @arg limit int Sessions looked at in one call, at most.
-- @reply waits why:string due:int sessions:json:shapes.Standing[] total:int
-- @reply places_no_more state:string

local record = read_job(job)
local state = record and record.state or "unknown"
if state ~= "queued" and state ~= "parked" then return { "places_no_more", state } end

local due = tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. job) or 0)
local function what_it_waits_for()
  if record.held == "1" then return "release" end
  if tonumber(record.not_before) > now then return "back_off" end
  if state == "queued" then return "turn" end
  local backs_off = record.excluded ~= "" or record.suspect_at ~= "0"
  return backs_off and due < patience_ends(record) and "back_off" or "room"
end

local is_high = record and tonumber(record.priority) >= (placement_policy(record.pool).reserved_from or math.huge)
local wishes = record.order ~= "" and wishes_for(record, redis.call("HGET", order_of(record.order), "prefer")) or nil
local function verdict_on(id, at)
  local lease = redis.call("ZSCORE", gateways_key, at.gateway)
  if not lease or tonumber(lease) <= now then return "gateway_gone" end
  if record.only ~= "" and record.only ~= id then return "another" end
  if string.find("," .. record.excluded .. ",", "," .. id .. ",", 1, true) then return "excluded" end
  local has_room = at.verdict == "room" or (at.verdict == "reserved" and is_high)
  return has_room and (spared(record, at) or objection(wishes, id, at) or "room") or at.verdict
end

local sessions = {}
for _, id in ipairs(redis.call("ZRANGE", pool_sessions_of(record.pool), first, first + limit - 1)) do
  local at = measure(id)
  if at then sessions[#sessions + 1] = { session = id, load = at.rank, verdict = verdict_on(id, at),
    below_count = at.rank > at.load and 1 or nil } end
end
return { "waits", what_it_waits_for(), due, encode_list(sessions), redis.call("ZCARD", pool_sessions_of(record.pool)) }
