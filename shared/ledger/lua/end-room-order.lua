-- end-room-order: a life of a room is over, and with it an order that was bound to it: nobody is left to be served.
-- What waits ends as canceled (`room_closed`); what runs ends as success, since an agent whose room closes has done what it was for,
-- and is told to stop, in case it did not notice. Not so one whose agent nobody saw there: it is canceled, as `never_joined` when the
-- agent had had 5 s to come, which is bad for a split, else as `room_closed`. A job whose reported success is doubted (includes/unjoined) is left to its
-- timer, which finds out whether its agent joined; it is not tried again. An order of which no worker ever accepted anything goes back to waiting
-- for the room's next life, as long as it may wait at all: a room that closed empty was not served, and an order that was
-- made while the end of the life before was on its way was never meant for that one. Its jobs for participants end: those
-- are gone. Not so an order of one life: whoever made it makes another for the next. Nor one that a caller waited for: somebody
-- (no agent, no recorder) was there after it was made. It was meant for that life, also when nothing had bound it yet; with
-- `keep_waiting` it goes back to waiting all the same.
-- An order with more jobs than `limit` is ended by repeating the call. Dying after it: what was not reached is ended by
-- the repeat, or by its own timer.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include waking
-- @include stopping
-- @include serving
-- @include awaiting
-- @include unjoined
-- @include joining
-- @arg order string Order id.
-- @arg room-sid string Sid of the life that is over.
-- @arg seen-at int When a caller was last known to be there, as the room book has it; 0 = nobody ever was.
-- @arg told bool Its jobs were told of all agents that were seen in that life.
-- @arg stop-ms int How long a worker's place stays taken when it does not confirm.
-- @arg wait-ms int How long an order may wait to be served, unless it says otherwise.
-- @arg limit int Jobs ended in one call, at most.
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply ended stops:json:shapes.Stop[] more:int serve:strings outcomes:strings
-- @reply kept serve:strings
-- @reply other_life room-sid:string
-- @reply closed state:string
-- @reply unknown
-- @reply unindexed rests:int

local state, bound_to, one_life, created_at, released_at, own_wait_ms, retain_ms, keep_waiting, open = unpack(redis.call("HMGET",
  order_key, "state", "room_sid", "one_life", "created_at", "released_at", "wait_ms", "retain_ms", "keep_waiting", "open"))
if not state then return { "unknown" } end
local had_callers = seen_at > tonumber(created_at) and not keep_waiting
if not bound_to and had_callers then bound_to = room_sid end
if bound_to ~= room_sid then return { "other_life", bound_to or "" } end
local live_jobs = redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, limit)
if state ~= "live" and #live_jobs == 0 then return { "closed", state } end
-- What is told of its jobs has to get out, and its own timers, that of its wait or that of its end, have to be found.
if must_index(rests) then return { "unindexed", rests_so_far() } end
keep_listening(listen_ms)
stay_awake()

local function was_served()
  for _, id in ipairs(redis.call("ZRANGE", order_jobs_key, 0, -1)) do
    if tonumber(redis.call("HGET", job_of(id), "attempts") or 0) > 0 then return true end
  end
  return false
end
local waits_until = tonumber(released_at or created_at) + (tonumber(own_wait_ms) or wait_ms)
if state == "live" and not one_life and not had_callers and now < waits_until and not was_served() then
  local serve = {}
  redis.call("HDEL", order_key, "room_sid")
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0)) do
    local record = read_job(id)
    if record.type == "room" then
      redis.call("HDEL", job_of(id), "room_sid", "room_info", "room_info_at", "alone_until")
    else
      local message = "the participant left the room"
      also_serve(serve, record.pool, end_job(id, record, "canceled", "participant_left", message, false))
    end
  end
  await_room(order)
  return { "kept", serve }
end
local records, doubted = {}, 0
for index, id in ipairs(live_jobs) do
  records[index] = read_job(id)
  if records[index].reported ~= "" then doubted = doubted + 1 end
end
-- One that is left with doubted jobs alone ends with the last of them.
if state == "live" and (doubted == 0 or open == "1") then
  end_order(order, "ended", "room_finished", tonumber(retain_ms))
end

-- How a job ends with its room: outcome, cause, a sentence, and as what it is counted.
local function ends_as(record, is_started)
  if not is_started then return "canceled", "room_closed", "", "canceled" end
  if not (told and must_doubt(record)) then return "success", "room_finished", "", "success" end
  if is_slow(record) then return "canceled", "never_joined", "the agent never joined its room", "never_joined" end
  return "canceled", "room_closed", "the room closed before the agent came", "canceled"
end

local stops, serve, outcomes = {}, {}, {}
for index, id in ipairs(live_jobs) do
  local record = records[index]
  if record.reported ~= "" then
    redis.call("HSET", job_of(id), "restart_policy", "never")
  else
    local runs = record.state == "starting" or record.state == "running"
    local outcome, cause, message, counted = ends_as(record, runs or record.state == "orphaned")
    if cause == "never_joined" then note_outcome(id, record, false, cause) end
    if runs then stops[#stops + 1] = add_stop(id, record, "the room is over", now + stop_ms) end
    local got_room = end_job(id, record, outcome, cause, message, runs)
    outcomes[#outcomes + 1] = counted
    also_serve(serve, record.pool, got_room)
  end
end
-- A call that met doubted jobs alone is not repeated: their timers are due.
local left = redis.call("ZCOUNT", order_jobs_key, 0, 0)
return { "ended", encode_list(stops), left > doubted and #outcomes > 0 and 1 or 0, serve, outcomes }
