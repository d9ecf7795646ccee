-- guarding: many sessions that vanish at once are our outage or the network's, not theirs: while the guard is up, no
-- orphan is resumed for want of knowledge.
-- @key sessions sessions
-- @key losses losses
-- @key arrivals arrivals
-- @key guard guard

-- A return is known for longer than a loss: a worker is back at once, and its old session lost when a lease, or the hold
-- after a gap of ours, is over.
local WINDOW_MS, RETURN_MS, GUARD_UP_MS, FEWEST_LOST = 10000, 20000, 300000, 3

-- When the guard goes or went down; 0 when it was never up.
local function guarded_until()
  return tonumber(redis.call("HGET", guard_key, "until") or 0)
end

local function forget_before(key, ms)
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - ms)
end

-- A session is gone, however that came: it is nobody's return any more. True when it came lately, and for no loss.
local function forget_arrival(id)
  return redis.call("ZREM", arrivals_key, id) == 1
end

-- A session was lost, and is no longer in `sessions`. `came_lately` as forget_arrival said of it. True when that put the
-- guard up: more than 30 % of those that were there, and at least 3, within 10 s.
-- The workers of a dead gateway are elsewhere before its lease ends: who came lately, for no loss, makes this one good.
-- One that came lately itself is a loss like any other.
local function count_loss(id, came_lately)
  if guarded_until() > now then return false end
  forget_before(arrivals_key, RETURN_MS)
  if not came_lately and #redis.call("ZPOPMIN", arrivals_key) > 0 then return false end
  redis.call("ZADD", losses_key, now, id)
  forget_before(losses_key, WINDOW_MS)
  local lost = redis.call("ZCARD", losses_key)
  local before = lost + redis.call("ZCARD", sessions_key)
  if lost < FEWEST_LOST or lost * 10 <= before * 3 then return false end
  redis.call("HSET", guard_key, "until", now + GUARD_UP_MS, "before", before)
  redis.call("DEL", losses_key)
  return true
end

-- A session came. A worker that is back has another session id, so whoever comes makes good the oldest loss, or the next
-- one: otherwise workers that reconnect would count as lost and as there at once. The guard goes down when 70 % of those
-- that were there before are there again.
local function count_return(id)
  local ends, before = unpack(redis.call("HMGET", guard_key, "until", "before"))
  if not ends or tonumber(ends) <= now then
    local makes_good = redis.call("ZREM", losses_key, id) == 1 or #redis.call("ZPOPMIN", losses_key) > 0
    forget_before(arrivals_key, RETURN_MS)
    if not makes_good then redis.call("ZADD", arrivals_key, now, id) end
    return
  end
  if redis.call("ZCARD", sessions_key) * 10 >= tonumber(before) * 7 then redis.call("HSET", guard_key, "until", now) end
end
