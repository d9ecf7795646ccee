-- claiming: picks the best session for a job inside the script, so that two claimers never act on one stale view.
-- @include reserving
-- @include choosing
-- @include sparing
-- @include waiting
-- @include suspending
-- @key gateways gateways
-- @family order order:

-- A job that so many have refused waits out its back-off before it asks anybody else.
local MOST_EXCLUDED = 256

local function split_set(text)
  local set, count = {}, 0
  for id in string.gmatch(text, "[^,]+") do set[id] = true count = count + 1 end
  return set, count
end

-- The session of the pool to ask, by its strategy, that is not excluded and whose gateway is alive, and its gateway; looks at
-- `scan` of them at most beyond the excluded ones. Third value: who was looked at and why not taken, for explain.
-- The pool's set says where sessions stood when something last happened to them; whether one has room is measured here and
-- now, so that no claim passes a bound that was just set.
local function pick(job, scan, prefers)
  local excluded, count = split_set(job.excluded)
  local considered, judged = {}, {}
  if count >= MOST_EXCLUDED then return nil, nil, considered end
  local policy = placement_policy(job.pool)
  local is_high = tonumber(job.priority) >= (policy.reserved_from or math.huge)

  local wishes = wishes_for(job, prefers)
  local function look(id, load)
    if judged[id] then return nil end
    judged[id] = true
    local at = not excluded[id] and measure(id) or nil
    local verdict = at and at.verdict or (excluded[id] and "excluded" or "gone")
    local has_room = verdict == "room" or (verdict == "reserved" and is_high)
    verdict = has_room and (spared(job, at) or objection(wishes, id, at)) or verdict
    if verdict == "room" or verdict == "reserved" and is_high then
      local lease = redis.call("ZSCORE", gateways_key, at.gateway)
      verdict = lease and tonumber(lease) > now and "chosen" or "gateway_gone"
    end
    considered[#considered + 1] = { session = id, load = at and at.rank or tonumber(load), verdict = verdict,
      answer_ms = at and at.answer_ms }
    if verdict == "chosen" then return { id, at.gateway } end
    if at and not has_room then place(id) end
    return nil, at and not has_room
  end

  local chosen
  if job.only ~= "" then
    chosen = look(job.only, 0)
  else
    if wishes and wishes.favourite then chosen = look(wishes.favourite, 0) end
    local labels = wishes and wishes.labels
    local name = labels and labelled(job.pool, labels[1]) or job.pool
    local words = job.id .. ":" .. job.epoch .. ":"
    for _, key in ipairs({ pool_of(name), is_high and reserved_of(name) or nil }) do
      if chosen or (wishes and wishes.insists) then break end
      chosen = choose(key, policy.strategy, words, count + 1, count + scan, look)
    end
  end
  return chosen and chosen[1], chosen and chosen[2], considered
end

-- The order of a job that may still be placed, as Redis gave it (empty for a job that has none): the job waits, past
-- its back-off, its callers have not left for good, and the order is live and not on hold. Else nil; second value: true when it is on hold, and the job is not
-- held yet. Third: its preferences, as text. Read whole, for an offer needs it and most jobs are offered at once.
local function order_to_serve(job)
  local waits = (job.state == "queued" or job.state == "parked") and now >= tonumber(job.not_before)
  if not waits or job.held == "1" or is_left_alone(job) then return nil end
  if job.order == "" then return {} end
  local order, flat = read_hash(order_of(job.order))
  if not order or order.state ~= "live" then return nil end
  if order.held == "1" then return nil, true end
  return flat, false, order.prefer
end

-- Writes fields of a hash, and adds them to what was read of it, where the later value counts: no second look.
local function update(key, flat, fields)
  redis.call("HSET", key, unpack(fields))
  for _, text in ipairs(fields) do flat[#flat + 1] = text end
end

-- Reserves a place on the session, makes the job OFFERED there, and answers with all that the gateway needs to ask its
-- worker. The epoch fences every later answer; the wire id keeps a late answer to an earlier offer apart, since SDKs
-- key everything by job id. An open reservation scores +inf: no load sample can have counted it.
-- The deadline is never before the gateway's own: how long this session may take to answer is in its record.
local function offer(job_id, job, flat, order, session_id, gateway, deadline, considered)
  local answer_ms = considered[#considered].answer_ms
  if answer_ms then deadline = math.max(deadline, now + answer_ms + ANSWER_MARGIN_MS) end
  local epoch = string.format("%d", job.epoch + 1)
  local offers = string.format("%d", job.offers + 1)
  local wire = offers == "1" and job_id or (job_id .. "." .. offers)
  local at = string.format("%.0f", now)
  close_attempt(job_id, job, "parked")
  -- A late answer is to the newest offer only.
  if job.late_by ~= "" then redis.call("HDEL", job_of(job_id), "late_by") end
  update(job_of(job_id), flat, { "state", "offered", "epoch", epoch, "offers", offers, "wire", wire,
    "session", session_id, "gateway", gateway, "offered_at", at, "updated_at", at,
    "considered", considered_text(considered) })
  if job.state == "parked" then
    redis.call("ZREM", parked_of(job.pool), job_id)
    place_given(job.pool)
  end
  redis.call("ZADD", session_jobs_of(session_id), "+inf", reservation(job_id, epoch))
  set_timer("job|" .. job_id, deadline)
  place(session_id)
  tell("offered", job_id, job, { state = "offered", session = session_id, wire = wire, epoch = epoch })
  return { "offered", deadline, flat, order }
end
