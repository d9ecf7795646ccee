-- extend-order: what is known of an order's room now: its sid, to which the order is bound from the first time on, and
-- the participants that want a job. A participant gets one job of an order, ever: one that was made before is left alone,
-- also when it is over. Jobs that wait learn the room.
-- Repeating it changes nothing and answers the same jobs, as long as they want their queue entry.
-- Dying after it: the guard timer of each job finds it, and the index finds the namespace.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include waking
-- @include queueing
-- @arg order string Order id.
-- @arg room-sid string Sid of the room's present life.
-- @arg room-info string Room message, base64; empty when not known.
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

local state, bound_to, room, priority, own_wait_ms, retain_ms =
  unpack(redis.call("HMGET", order_key, "state", "room_sid", "room", "priority", "wait_ms", "retain_ms"))
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
if bound_to and bound_to ~= room_sid then return { "other_life", bound_to } end

local waits_for_entry, missing = {}, {}
for _, job in ipairs(new_jobs) do
  if not redis.call("ZSCORE", order_jobs_key, job.id) then
    missing[#missing + 1] = job
  elseif redis.call("HGET", job_of(job.id), "state") == "queued" then
    waits_for_entry[#waits_for_entry + 1] = job.id
  end
end
if #missing > 0 and must_index(rests) then return { "unindexed", rests_so_far() } end

if not bound_to then redis.call("HSET", order_key, "room_sid", room_sid) end
if opens then redis.call("HSET", order_key, "open", 1) end
for _, id in ipairs(redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, 64)) do
  local known_sid, known_info = unpack(redis.call("HMGET", job_of(id), "room_sid", "room_info"))
  if not known_sid or not known_info then
    redis.call("HSET", job_of(id), "room_sid", room_sid)
    if room_info ~= "" then redis.call("HSET", job_of(id), "room_info", room_info) end
  end
end
if #missing > 0 then keep_listening(listen_ms) end
for _, job in ipairs(missing) do
  job.order, job.room, job.priority, job.room_sid, job.room_info = order, room, priority or 0, room_sid, room_info
  waits_for_entry[#waits_for_entry + 1] = job.id
  redis.call("ZADD", order_jobs_key, 0, job.id)
  queue_job(job.id, job, retain_ms, guard_ms, tonumber(own_wait_ms) or wait_ms)
end
if #missing > 0 then stay_awake() end
return { "extended", waits_for_entry, #missing }
