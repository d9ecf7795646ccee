-- admit: tries to place one job: offers it to the best session of its pool, or parks it.
-- Acts on queued and parked jobs of live orders only, past their back-off, so that any number of repeats, late or
-- doubled, does no harm. A job whose order is on hold is held.
-- A job that nobody has room for may show that an earlier one is over whose worker says nothing (includes/superseding): it is
-- parked, and the pool that got room by it is to be served: `superseded`.
-- Dying after it: the timer of the job (offer, back-off, end of waiting) has been set by the same script.
-- @key job job:<job>
-- @include dividing
-- @include ending
-- @include superseding
-- @include blaming
-- @arg job string Job id.
-- @arg offer-ms int Deadline of the offer from now, in Redis; longer than the gateway's own.
-- @arg retry-ms int First back-off when sessions refused; doubled with each round, 30 s at most.
-- @arg scan int Sessions, and jobs ahead in line, looked at in one claim, at most.
-- @reply offered deadline:int job:hash order:hash
-- @reply parked pool:string behind:int blame:json:shapes.Blame|null
-- @reply superseded pool:string count:int
-- @reply held
-- @reply idle state:string
-- @reply ended outcome:string

local record, flat = read_job(job)
if not record then return { "idle", "unknown" } end
local order, is_on_hold, prefers = order_to_serve(record)
if is_on_hold then
  suspend(job, record)
  return { "held" }
end
if not order then return { "idle", record.state } end
if now >= tonumber(record.wait_until) then
  end_job(job, record, "expired", "waited_too_long", "no worker took the job in time", false)
  return { "ended", "expired" }
end

local function rather_not(id, session)
  local other = read_job(id)
  return objection(wishes_for(other, redis.call("HGET", order_of(other.order), "prefer")), session, measure(session))
end

-- Order of service: whether somebody of a better rank waits who could take this session as well.
local function is_behind(chosen)
  local ahead = redis.call("ZRANGE", parked_of(record.pool), 0, scan - 1, "WITHSCORES")
  for index = 1, #ahead, 2 do
    if ahead[index] == job or tonumber(ahead[index + 1]) >= rank(record) then return false end
    local only, excluded, prefers_some = unpack(redis.call("HMGET", job_of(ahead[index]), "only", "excluded", "prefers"))
    local takes = (not only or only == chosen) and not (prefers_some and rather_not(ahead[index], chosen))
    if takes and not string.find("," .. (excluded or "") .. ",", "," .. chosen .. ",", 1, true) then return true end
  end
  return false
end

local chosen, gateway, considered = pick_side(job, record, flat, scan, prefers)
if chosen then
  if not is_behind(chosen) then return offer(job, record, flat, order, chosen, gateway, now + offer_ms, considered) end
  -- Stand in line; the actor serves the pool.
  considered[#considered].verdict = "behind"
  note_nobody(job, record, considered)
  park(job, record, nil)
  return { "parked", record.pool, 1, "null" }
end

-- Those who refused are asked again after a while, whether they have room now or not: freed room wakes only jobs that
-- may use it. So is whoever a suspect job may be tried with later. A back-off that runs already is not begun anew.
local due = tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. job) or 0)
local backs_off = record.state == "parked" and due < patience_ends(record)
local count, got_room_in, suspicion = 0, "", nil
if record.state == "queued" then count, got_room_in = supersede(job, record) end
if not backs_off then
  local retry_at = nil
  if record.excluded ~= "" or record.suspect_at ~= "0" then
    if record.met_full == "1" then
      -- One of them may have been full, which passes: the pause does not grow by that.
      redis.call("HDEL", job_key, "met_full")
      retry_at = now + retry_ms
    else
      retry_at = now + math.min(30000, retry_ms * 2 ^ math.min(10, tonumber(record.rounds)))
      redis.call("HINCRBY", job_key, "rounds", 1)
    end
  end
  note_nobody(job, record, considered)
  park(job, record, retry_at)
  if record.suspect_at ~= "0" and record.suspect_told ~= "1" then
    suspicion = tell_suspect(record, string.match(record.doubts, "([^,;]*);$") or "rejects")
  end
end
if count > 0 then return { "superseded", got_room_in, count } end
return { "parked", record.pool, 0, cjson.encode(suspicion) }
