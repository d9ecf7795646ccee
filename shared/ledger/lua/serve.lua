-- serve: a pool got room: offers the best parked job that can use it. Called until it answers otherwise than offered.
-- Dying after it: the offer's deadline sends the job back; who still waits is named again with the next sample.
-- @key pools pools
-- @include claiming
-- @arg pool string Name of the pool.
-- @arg offer-ms int Deadline of the offer from now, in Redis; longer than the gateway's own.
-- @arg scan int Sessions looked at in one claim, at most.
-- @arg heads int Parked jobs looked at, at most: the first can be waiting out a back-off.
-- @reply offered deadline:int job:hash order:hash
-- @reply no_room
-- @reply empty

local waiting = redis.call("ZRANGE", parked_of(pool), 0, heads - 1)
if #waiting == 0 then return { "empty" } end
if not pool_has_room(pool) then return { "no_room" } end
for _, id in ipairs(waiting) do
  local record, flat = read_job(id)
  local order = record and order_to_serve(record)
  if order and now < tonumber(record.wait_until) then
    local chosen, gateway, considered = pick(record, scan)
    if chosen then return offer(id, record, flat, order, chosen, gateway, now + offer_ms, considered) end
  end
end
return { "no_room" }
