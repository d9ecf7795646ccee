-- sample-sessions: a gateway's batch of load samples; a session that was waited for enters its pool with its first. A load
-- that was refused at the door comes as -1: the last good one stands, and so does the time from which jobs are counted on
-- top of it. From the others it is learnt what a job costs there. `miscounted`: workers that for several samples said to run
-- more or fewer jobs than we know of; what they have more takes places as ours do. `misfits`: workers whose load for several
-- samples was far below what their jobs cost their peers.
-- Dying after it: the next sample, 2.5 s later, names the room again that nobody was told of.
-- @key deadlines deadlines
-- @include serving
-- @include placing
-- @include learning
-- @include counting
-- @include weighing
-- @key costs costs
-- @include draining
-- @include ejecting
-- @arg gateway string Node id of the gateway; samples for sessions of another are ignored.
-- @arg samples json:shapes.LoadSample[] At most 256.
-- @reply sampled unknown:strings serve:strings miscounted:json:shapes.Miscount[] misfits:json:shapes.Misfit[]

local unknown, serve, miscounted, misfits = {}, {}, {}, {}

local function add(fields, more)
  for _, value in ipairs(more) do fields[#fields + 1] = value end
end

local function learn_cost(session, sample, jobs, fields, doubted)
  if sample.load < 0 or sample.load >= 1 then return end
  local believed = tonumber(session.learnt_cost or placement_policy(session.pool).job_load or session.cost)
  local kept, cost = learn(session.learning or "", jobs, sample.load, believed)
  if kept ~= session.learning then add(fields, { "learning", kept }) end
  cost = cost or learn_less(sample.session, jobs, sample.load, believed)
  if not cost then return end
  add(fields, { "learnt_cost", string.format("%.6g", cost), "taught", 1 })
  -- What does not fit is no lesson for others.
  if doubted then return end
  local common = tonumber(redis.call("HGET", costs_key, session.pool) or cost)
  redis.call("HSET", costs_key, session.pool, string.format("%.6g", common + 0.1 * (cost - common)))
end

local NAMES = { "gateway", "pool", "cost", "learnt_cost", "learning", "counts", "miscount", "miscounts", "surplus",
  "draining", "misfits" }
for _, sample in ipairs(samples) do
  local key, session = session_of(sample.session), {}
  for index, value in ipairs(redis.call("HMGET", key, unpack(NAMES))) do session[NAMES[index]] = value or nil end
  if session.gateway == gateway then
    local fields = { "status", sample.status, "draining", sample.draining and 1 or 0, "job_count", sample.job_count }
    if sample.load >= 0 then add(fields, { "load", sample.load, "sampled_at", now }) end
    if sample.job_count > 0 then add(fields, { "counts", 1 }) end
    local jobs = redis.call("ZCOUNT", session_jobs_of(sample.session), "-inf", now)
    local gone = { "entering_until" }
    local weighed, fits, is_told, floor = {}, {}, false, 0
    if sample.load >= 0 then weighed, fits, is_told, floor = weigh(sample.session, session, jobs, sample.load) end
    add(fields, weighed)
    add(gone, fits)
    if is_told then misfits[#misfits + 1] = { session = sample.session, load = sample.load, floor = floor } end
    learn_cost(session, sample, jobs, fields, #weighed > 0)
    if session.counts == "1" or sample.job_count > 0 then
      local miscount, is_news, counted = compare_counts(session, sample.job_count - jobs)
      add(fields, counted)
      if is_news then miscounted[#miscounted + 1] = { session = sample.session, surplus = miscount } end
    end
    redis.call("HSET", key, unpack(fields))
    redis.call("HDEL", key, unpack(gone))
    follow_drains(sample.session)
    if sample.status == "full" then excuse(sample.session) end
    local has_room, pool = place(sample.session)
    -- Jobs that waited for this one alone wait no longer (includes/preferring).
    local began_to_drain = sample.draining and session.draining ~= "1"
    also_serve(serve, pool, has_room or (began_to_drain and pool_has_room(pool)))
  else
    unknown[#unknown + 1] = sample.session
  end
end
return { "sampled", unknown, serve, encode_list(miscounted), encode_list(misfits) }
