-- end-room-order: a life of a room is over, and with it an order that was bound to it: nobody is left to be served.
-- What waits ends as canceled; what runs ends as success, since an agent whose room closes has done what it was for,
-- and is told to stop, in case it did not notice. An order of which no worker ever accepted anything goes back to
-- waiting for the room's next life: a room that closed empty was not served.
-- An order with more jobs than `limit` is ended by repeating the call. Dying after it: what was not reached is ended by
-- the repeat, or by its own timer.
-- @key order order:<order>
-- @key order-jobs order-jobs:<order>
-- @include stopping
-- @include serving
-- @arg order string Order id.
-- @arg room-sid string Sid of the life that is over.
-- @arg stop-ms int How long a worker's place stays taken when it does not confirm.
-- @arg limit int Jobs ended in one call, at most.
-- @reply ended stops:json:shapes.Stop[] more:int serve:strings outcomes:strings
-- @reply kept
-- @reply other_life room-sid:string
-- @reply closed state:string
-- @reply unknown

local state, bound_to, open, retain_ms = unpack(redis.call("HMGET", order_key, "state", "room_sid", "open", "retain_ms"))
if not state then return { "unknown" } end
if bound_to ~= room_sid then return { "other_life", bound_to or "" } end
local live_jobs = redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, limit)
if state ~= "live" and #live_jobs == 0 then return { "closed", state } end

if state == "live" and open ~= "1" then
  local was_served = false
  for _, id in ipairs(live_jobs) do
    was_served = was_served or tonumber(redis.call("HGET", job_of(id), "attempts") or 0) > 0
  end
  if not was_served then
    redis.call("HDEL", order_key, "room_sid")
    for _, id in ipairs(live_jobs) do redis.call("HDEL", job_of(id), "room_sid", "room_info") end
    return { "kept" }
  end
end
if state == "live" then end_order(order, "ended", tonumber(retain_ms)) end

local stops, serve, outcomes = {}, {}, {}
for _, id in ipairs(live_jobs) do
  local record = read_job(id)
  local held = record.state == "starting" or record.state == "running"
  local outcome = (held or record.state == "orphaned") and "success" or "canceled"
  if held then stops[#stops + 1] = add_stop(id, record, "the room is over", now + stop_ms) end
  local got_room = end_job(id, record, outcome, "room_finished", "", held)
  outcomes[#outcomes + 1] = outcome
  also_serve(serve, record.pool, got_room)
end
local left = redis.call("ZCOUNT", order_jobs_key, 0, 0)
return { "ended", encode_list(stops), left > 0 and 1 or 0, serve, outcomes }
