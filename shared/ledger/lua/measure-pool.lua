-- measure-pool: what a pool has to do and who is there for it: a page of its sessions, the newest first, with the places
-- that they have and could still give; on the first page also the jobs that wait: all that are parked, and those of the
-- newest live jobs of the namespace that are not placed yet. What is on hold counts as nothing; where workers are, suspect jobs
-- (includes/blaming) count apart, for more workers would not help them. Sessions of a dead gateway
-- count as gone. `oldest_wait`: how long in ms the job waits that waits longest, of the first of each priority in line; 0 =
-- none waits. Reads only. A pool that nobody knows has nothing of anything.
-- Sums of several pages are not of one moment.
-- @key jobs jobs
-- @key gateways gateways
-- @include sizing
-- @include jobs
-- @include preferring
-- @family pool-sessions pool-sessions:
-- @family parked parked:
-- @family job job:
-- @arg pool string Name of the pool.
-- @arg below int Rank to begin below; -1 = at the newest.
-- @arg limit int Sessions in one call, at most.
-- @arg newest int Live jobs looked at for those that are not placed, at most; 1 at least.
-- @reply measured counts:json:shapes.PoolCounts next:int

local counts = { used = 0, leaving = 0, free = 0, available = 0, full = 0, cooling = 0, draining = 0, drained = 0,
  drained_busy = 0, queued = 0, suspect = 0, oldest_wait = 0 }
local function add(name, count) counts[name] = counts[name] + count end

-- Ranks of one priority lie within one band (includes/waiting). Orders rarely come in more priorities than a few.
local BAND, MOST_PRIORITIES, SUSPECT_BAND = 4398046511104, 16, 1001
local function oldest_wait(line, below_band)
  local oldest, from = 0, "-inf"
  for _ = 1, MOST_PRIORITIES do
    local head = redis.call("ZRANGEBYSCORE", line, from, below_band, "WITHSCORES", "LIMIT", 0, 1)
    if not head[1] then break end
    local record = read_job(head[1])
    if record then oldest = math.max(oldest, now - waits_since(record)) end
    from = string.format("%.0f", (math.floor(tonumber(head[2]) / BAND) + 1) * BAND)
  end
  return oldest
end

if below < 0 then
  local suspects_from = string.format("%.0f", SUSPECT_BAND * BAND)
  local is_staffed = redis.call("ZCARD", pool_sessions_of(pool)) > 0
  local suspects = is_staffed and redis.call("ZCOUNT", parked_of(pool), suspects_from, "+inf") or 0
  add("suspect", suspects)
  add("queued", redis.call("ZCARD", parked_of(pool)) - suspects)
  add("oldest_wait", oldest_wait(parked_of(pool), is_staffed and "(" .. suspects_from or "+inf"))
  for _, id in ipairs(redis.call("ZREVRANGE", jobs_key, 0, newest - 1)) do
    local state, its_pool = unpack(redis.call("HMGET", job_of(id), "state", "pool"))
    if state == "queued" and its_pool == pool then add("queued", 1) end
  end
end
local last = (below < 0 and redis.call("ZCARD", pool_sessions_of(pool)) or below) - 1
local first = math.max(0, last - limit + 1)
local lives = {}
for _, id in ipairs(last < 0 and {} or redis.call("ZRANGE", pool_sessions_of(pool), first, last)) do
  local held, left, state, gateway = session_size(id)
  if held and lives[gateway] == nil then
    lives[gateway] = tonumber(redis.call("ZSCORE", gateways_key, gateway) or 0) > now
  end
  if held and lives[gateway] then
    local stays = state ~= "draining" and state ~= "drained"
    add(state, 1)
    add(stays and "used" or "leaving", held)
    add("free", left)
    if state == "drained" and held > 0 then add("drained_busy", 1) end
  end
end
return { "measured", cjson.encode(counts), first }
