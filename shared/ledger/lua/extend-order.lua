-- extend-order: what is known of an order's room now: its sid, to which the order is bound from the first time on, and
-- the participants that want a job. A participant gets one job of an order, ever: one that was made before is left alone,
-- also when it is over. Those of an order that is on hold are made and held. Jobs that wait, or are about to, learn how room
-- and participant look now, so that whoever is asked next is told; of two descriptions the one stays that the room book has
-- for the later one, in whatever order they come.
-- Repeating it changes nothing and answers the same jobs, as long as they want their queue entry.
-- Dying after it: the guard timer of each job finds it, and the index finds the namespace.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include waking
-- @include queueing
-- @include suspending
-- @include awaiting
-- @arg order string Order id.
-- @arg room-sid string Sid of the room's present life.
-- @arg room-info string Room message, base64; empty when not known.
-- @arg room-info-at int When that was said, as the room book has it.
-- @arg new-jobs json:shapes.NewJob[] One for each participant that matches. At most 1000.
-- @arg opens bool From now on the order makes jobs for participants, if it did not before: it does not end with its jobs.
-- @arg wait-ms int How long a job may wait for a worker, unless the order says otherwise.
-- @arg guard-ms int After this time a queued job that nobody tried is tried.
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply extended queued:strings made:int
-- @reply other_life room-sid:string
-- @reply closed state:string
-- @reply unknown
-- @reply unindexed rests:int

local state, bound_to, room, priority, own_wait_ms, retain_ms, fallback, is_on_hold, prefer, loosens, sticky =
  unpack(redis.call("HMGET", order_key, "state", "room_sid", "room", "priority", "wait_ms", "retain_ms", "fallback",
    "held", "prefer", "loosens", "sticky"))
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
if bound_to and bound_to ~= room_sid then return { "other_life", bound_to } end

local waits_for_entry, missing, spoken = {}, {}, {}
for _, job in ipairs(new_jobs) do
  if not redis.call("ZSCORE", order_jobs_key, job.id) then
    missing[#missing + 1] = job
  else
    spoken[job.id] = job
    if redis.call("HGET", job_of(job.id), "state") == "queued" then waits_for_entry[#waits_for_entry + 1] = job.id end
  end
end
if #missing > 0 and must_index(rests) then return { "unindexed", rests_so_far() } end

if not bound_to then
  redis.call("HSET", order_key, "room_sid", room_sid)
  stop_awaiting(order)
end
if opens then
  redis.call("HSET", order_key, "open", 1)
  redis.call("HSETNX", order_key, "wait_ms", wait_ms)
end

-- Times that differ by less than LiveKit tells them apart are equal: then the one that is told later counts, as in the book.
local function describe(id, field, info, at, known_at)
  if info == "" or at < known_at then return end
  if at == known_at and redis.call("HGET", job_of(id), field) == info then return end
  redis.call("HSET", job_of(id), field, info, field .. "_at", string.format("%.0f", at))
end

-- What a running job was told of its room is its agent's business; one whose agent left may soon be given to another.
local IS_TOLD = { queued = true, parked = true, orphaned = true }
local function refresh(id, person)
  local job_state, known_sid, info_at, person_at, left_at = unpack(redis.call("HMGET", job_of(id), "state", "room_sid",
    "room_info_at", "participant_info_at", "left_at"))
  if not job_state or job_state == "ended" then return end
  if not known_sid then redis.call("HSET", job_of(id), "room_sid", room_sid) end
  local is_told = IS_TOLD[job_state] or left_at
  if is_told or not info_at then describe(id, "room_info", room_info, room_info_at, tonumber(info_at or 0)) end
  if is_told and person then
    describe(id, "participant_info", person.participant_info, person.participant_info_at or 0, tonumber(person_at or 0))
  end
end

-- Of an order with more jobs the others are spoken of in their turn: a round looks at each participant.
local is_refreshed = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, 64)) do
  refresh(id, spoken[id])
  is_refreshed[id] = true
end
for id, person in pairs(spoken) do if not is_refreshed[id] then refresh(id, person) end end
if #missing > 0 then keep_listening(listen_ms) end
local first_step = fallback and cjson.decode(fallback)[2]
for _, job in ipairs(missing) do
  job.prefers, job.loosens, job.sticky = prefer and 1 or nil, loosens or nil, sticky or nil
  job.fallback_after = first_step and first_step.after_ms or nil
  job.order, job.room, job.priority, job.room_sid, job.room_info = order, room, priority or 0, room_sid, room_info
  job.room_info_at = room_info ~= "" and string.format("%.0f", room_info_at) or ""
  job.participant_info_at = string.format("%.0f", job.participant_info_at or 0)
  local id = job.id
  redis.call("ZADD", order_jobs_key, 0, id)
  queue_job(id, job, retain_ms, guard_ms, tonumber(own_wait_ms) or wait_ms)
  if is_on_hold then suspend(id, job) else waits_for_entry[#waits_for_entry + 1] = id end
end
if #missing > 0 then stay_awake() end
return { "extended", waits_for_entry, #missing }
