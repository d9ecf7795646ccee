-- claiming: picks the best session for a job inside the script, so that two claimers never act on one stale view.
-- @include reserving
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

-- Sessions with room and their loads, least loaded first, by rank. A simulated job knows its only session.
local function ranked_sessions(job, first, last)
  if job.only == "" then return redis.call("ZRANGE", pool_of(job.pool), first, last, "WITHSCORES") end
  local load = first == 0 and redis.call("ZSCORE", pool_of(job.pool), job.only)
  return load and { job.only, load } or {}
end

-- The least loaded session of the pool that is not excluded and whose gateway is alive, and its gateway; looks at
-- `scan` of them at most beyond the excluded ones. Third value: who was looked at and why not taken, for explain.
-- Mostly the first one will do, so the others are read only when it does not.
local function pick(job, scan)
  local excluded, count = split_set(job.excluded)
  local considered = {}
  if count >= MOST_EXCLUDED then return nil, nil, considered end
  for _, ranks in ipairs({ { 0, count }, { count + 1, count + scan - 1 } }) do
    local ranked = ranked_sessions(job, ranks[1], ranks[2])
    for index = 1, #ranked, 2 do
      local id, load = ranked[index], ranked[index + 1]
      local verdict, gateway = "chosen", nil
      if excluded[id] then
        verdict = "excluded"
      else
        gateway = redis.call("HGET", session_of(id), "gateway")
        local lease = gateway and redis.call("ZSCORE", gateways_key, gateway)
        if not lease or tonumber(lease) <= now then verdict = "gateway_gone" end
      end
      considered[#considered + 1] = { session = id, load = tonumber(load), verdict = verdict }
      if verdict == "chosen" then return id, gateway, considered end
    end
  end
  return nil, nil, considered
end

-- The order of a job that may still be placed, as Redis gave it (empty for a job that has none): the job waits, past
-- its back-off, and the order is live and not on hold. Else nil; second value: true when it is on hold, and the job is not
-- held yet. Read whole, for an offer needs it and most jobs are offered at once.
local function order_to_serve(job)
  local waits = (job.state == "queued" or job.state == "parked") and now >= tonumber(job.not_before)
  if not waits or job.held == "1" then return nil end
  if job.order == "" then return {} end
  local order, flat = read_hash(order_of(job.order))
  if not order or order.state ~= "live" then return nil end
  if order.held == "1" then return nil, true end
  return flat
end

-- Writes fields of a hash, and adds them to what was read of it, where the later value counts: no second look.
local function update(key, flat, fields)
  redis.call("HSET", key, unpack(fields))
  for _, text in ipairs(fields) do flat[#flat + 1] = text end
end

-- Reserves a place on the session, makes the job OFFERED there, and answers with all that the gateway needs to ask its
-- worker. The epoch fences every later answer; the wire id keeps a late answer to an earlier offer apart, since SDKs
-- key everything by job id. An open reservation scores +inf: no load sample can have counted it.
local function offer(job_id, job, flat, order, session_id, gateway, deadline, considered)
  local epoch = string.format("%d", job.epoch + 1)
  local offers = string.format("%d", job.offers + 1)
  local wire = offers == "1" and job_id or (job_id .. "." .. offers)
  local at = string.format("%.0f", now)
  update(job_of(job_id), flat, { "state", "offered", "epoch", epoch, "offers", offers, "wire", wire,
    "session", session_id, "gateway", gateway, "offered_at", at, "updated_at", at })
  if job.state == "parked" then
    redis.call("ZREM", parked_of(job.pool), job_id)
    place_given(job.pool)
  end
  redis.call("ZADD", session_jobs_of(session_id), "+inf", reservation(job_id, epoch))
  set_timer("job|" .. job_id, deadline)
  place(session_id)
  tell("offered", job_id, job, { state = "offered", session = session_id, wire = wire, epoch = epoch })
  return { "offered", deadline, flat, order, cjson.encode(considered) }
end
