-- assert-gateway: a gateway renews its lease in a namespace and says what its sockets hold, as (job, epoch, session).
-- What the ledger agrees with stands, and an orphan of such a session runs again; what is over, older or held elsewhere
-- is to be stopped. A newer epoch, or one that the ledger still has as an offer, stands too: Redis lost its last second.
-- So does one that was resumed and not offered anew yet. Stops that were not confirmed are told again.
-- `over`: taken to be over by guess (includes/superseding): its worker is not told to stop, and it need not be asserted again.
-- Dying after it: the next renewal says the same again.
-- `lapsed`: the lease had ended, sessions may have been swept: register them again, then assert.
-- @key gateways gateways
-- @include holding
-- @key stops stops
-- @family gateway-stops gateway-stops:
-- @arg gateway string Node id of the gateway.
-- @arg lease-ms int How long the lease lasts from now.
-- @arg held json:shapes.HeldJob[] The jobs that were assigned on its sockets, at most 256 a call.
-- @reply renewed stops:json:shapes.Stop[] unknown:strings over:strings
-- @reply lapsed

local lease = redis.call("ZSCORE", gateways_key, gateway)
if not lease or tonumber(lease) <= now then return { "lapsed" } end
redis.call("ZADD", gateways_key, now + lease_ms, gateway)
set_timer("gateway|" .. gateway, now + lease_ms)

local stops, unknown, over, told = {}, {}, {}, {}
local function is_guessed(claim, job)
  return job.cause == "superseded" and claim.epoch == tonumber(job.epoch) and job.session == claim.session
end
local function stands(claim, job)
  if job.state == "ended" then return false end
  local epoch = tonumber(job.epoch)
  local is_resumed = job.session == "" and tonumber(job.resumed_epoch) == epoch
  -- Its worker said that it is over: that it still holds it is old news, and no second life.
  if claim.epoch == epoch and job.reported ~= "" then return false end
  if claim.epoch < epoch or (claim.epoch == epoch and job.session ~= claim.session and not is_resumed) then return false end
  local at, pool = unpack(redis.call("HMGET", session_of(claim.session), "gateway", "pool"))
  local lives = at == gateway
  if claim.epoch > epoch or job.state == "offered" or is_resumed then
    if lives and not may_have(job, pool) then return false end
    if lives then take_over(claim.job, job, claim.session, gateway, claim.epoch, claim.wire) end
  elseif job.state == "orphaned" and lives then
    runs_again(claim.job, job)
  end
  return true
end
for _, claim in ipairs(held) do
  local job = read_job(claim.job)
  if not job then
    unknown[#unknown + 1] = claim.job
  elseif is_guessed(claim, job) then
    over[#over + 1] = claim.job
  elseif not stands(claim, job) then
    stops[#stops + 1] = { job = claim.job, session = claim.session, gateway = gateway, wire = claim.wire }
    told[claim.session .. "|" .. claim.wire] = true
  end
end
-- As many as one call may hold; the rest with the next renewals, in no order, so that none is left out for good.
for _, field in ipairs(redis.call("SRANDMEMBER", gateway_stops_of(gateway), 256)) do
  local stop = redis.call("HGET", stops_key, field)
  if stop and not told[field] then stops[#stops + 1] = cjson.decode(stop) end
end
return { "renewed", encode_list(stops), unknown, over }
