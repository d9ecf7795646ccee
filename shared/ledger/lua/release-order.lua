-- release-order: an order is not on hold any more. Its jobs stand in line again by their priority and age, and the pools
-- that have room for some are named; those that fail just now wait out their back-off first. What they may wait, and their
-- fallback, begins now, and so does the order's wait for its room. An order with more held jobs than `limit` is released by
-- repeating the call.
-- Repeating it changes nothing. Dying after it: room that nobody was told of is found with the next look at the namespace;
-- a job that was not reached is let go by the repeat, or by its own timer within the hour.
-- @key order order:<order>
-- @include waking
-- @include suspending
-- @include serving
-- @include siding
-- @include awaiting
-- @arg order string Order id.
-- @arg limit int Jobs let go in one call, at most.
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply released more:int serve:strings
-- @reply closed state:string
-- @reply unknown
-- @reply unindexed rests:int

local state, is_held, open = unpack(redis.call("HMGET", order_key, "state", "held", "open"))
if not state then return { "unknown" } end
if state ~= "live" then return { "closed", state } end
local ids = list_held(order, limit)
local sets_timers = #ids > 0 or (is_held and open)
if sets_timers and must_index(rests) then return { "unindexed", rests_so_far() } end
if is_held then
  redis.call("HDEL", order_key, "held")
  redis.call("HSET", order_key, "released_at", string.format("%.0f", now))
  await_room(order)
end
if sets_timers then
  keep_listening(listen_ms)
  stay_awake()
end
local serve = {}
for _, id in ipairs(ids) do
  local job = read_job(id)
  let_go(id, job)
  local sides = read_sides(job)
  if now < tonumber(job.not_before) then
    requeue(id, job.not_before)
  elseif sides and sides.is_new then
    requeue(id, now) -- a split has yet to say in which line it stands
  else
    -- Parked until now as well, but in no line: that is news.
    job.state = "queued"
    park(id, job, nil)
    also_serve(serve, job.pool, pool_has_room(job.pool))
  end
end
return { "released", #ids == limit and 1 or 0, serve }
