-- note-callers: what the room book says of the callers in the life of its room that an order is bound to. Once one was there
-- after the order was made, the job for the room waits for them too: all gone, it waits until `away-ms` after the last one was
-- seen (includes/leaving), and ends then, also here. Somebody there takes that back. An order with `keep_waiting` waits on.
-- A job that has a worker keeps it; the time counts when it waits again.
-- Repeating it changes nothing. Dying after it: the job's timer ends it; of one on hold, which has none, the next look does.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include waking
-- @include leaving
-- @include serving
-- @include listening
-- @arg order string Order id.
-- @arg room-sid string Sid of that life.
-- @arg callers int How many callers are there.
-- @arg seen-at int When one was last known to be there, Unix ms by the ledger's clock; 0 = nobody ever was.
-- @arg away-ms int How long the last caller may take to come back.
-- @arg limit int Jobs looked at, at most.
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply noted ended:strings serve:strings
-- @reply other_life room-sid:string
-- @reply closed state:string
-- @reply unknown
-- @reply unindexed rests:int

local state, bound_to, created_at, keep_waiting = unpack(redis.call("HMGET", order_key, "state", "room_sid", "created_at",
  "keep_waiting"))
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
if bound_to ~= room_sid then return { "other_life", bound_to or "" } end
if must_index(rests) then return { "unindexed", rests_so_far() } end
keep_listening(listen_ms)
stay_awake()

local is_alone = callers == 0 and seen_at > tonumber(created_at) and not keep_waiting
local alone_until = is_alone and string.format("%.0f", seen_at + away_ms) or nil
local WAITS = { queued = true, parked = true }

local ended, serve = {}, {}
local function note(id, job)
  if not alone_until then
    -- The timer of a parked job stays: early, it looks at the job and sets the next one.
    if job.alone_until == "0" then return end
    redis.call("HDEL", job_of(id), "alone_until")
    if job.state == "queued" and tonumber(job.not_before) > now then set_timer("job|" .. id, job.not_before) end
    return
  end
  if job.alone_until ~= alone_until then
    job.alone_until = alone_until
    redis.call("HSET", job_of(id), "alone_until", alone_until)
    if WAITS[job.state] and job.held ~= "1" then redis.call("ZADD", deadlines_key, "LT", alone_until, "job|" .. id) end
  end
  if is_left_alone(job) and (WAITS[job.state] or job.state == "offered") then
    ended[#ended + 1] = id
    also_serve(serve, job.pool, end_left_job(id, job))
  end
end

for _, id in ipairs(redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, limit)) do
  local job = read_job(id)
  if job.type == "room" then note(id, job) end
end
return { "noted", ended, serve }
