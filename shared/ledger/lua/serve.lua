-- serve: a pool got room: offers the best parked job that can use it. Called until it answers otherwise than offered.
-- Dying after it: the offer's deadline sends the job back; who still waits is named again with the next sample.
-- @key pools pools
-- @include dividing
-- @arg pool string Name of the pool.
-- @arg offer-ms int Deadline of the offer from now, in Redis; longer than the gateway's own.
-- @arg scan int Sessions looked at in one claim, at most.
-- @arg heads int Parked jobs without preferences looked at, at most: the first can be waiting out a back-off.
-- @reply offered deadline:int job:hash order:hash
-- @reply no_room
-- @reply empty

-- Who waits for a worker of some kind does not use the others' turns up: room is mostly not of that kind.
local MOST_LOOKED_AT = 512

if redis.call("ZCARD", parked_of(pool)) == 0 then return { "empty" } end
if not pool_has_room(pool) then return { "no_room" } end
local passed_over = 0
for first = 0, MOST_LOOKED_AT - heads, heads do
  local waiting = redis.call("ZRANGE", parked_of(pool), first, first + heads - 1)
  for _, id in ipairs(waiting) do
    local record, flat = read_job(id)
    local order, _, prefers = nil, nil, nil
    if record then order, _, prefers = order_to_serve(record) end
    if order and now < tonumber(record.wait_until) then
      local chosen, gateway, considered, has_moved = pick_side(id, record, flat, scan, prefers)
      if chosen then return offer(id, record, flat, order, chosen, gateway, now + offer_ms, considered) end
      if has_moved then park(id, record, nil) end
    end
    if not prefers then passed_over = passed_over + 1 end
    if passed_over >= heads then return { "no_room" } end
  end
  if #waiting < heads then break end
end
return { "no_room" }
