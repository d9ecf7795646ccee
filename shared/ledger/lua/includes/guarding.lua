-- guarding: many sessions that vanish at once are our outage or the network's, not theirs: while the guard is up, no
-- orphan is resumed for want of knowledge.
-- @key sessions sessions
-- @key losses losses
-- @key guard guard

local WINDOW_MS, GUARD_UP_MS, FEWEST_LOST = 10000, 300000, 3

-- When the guard goes or went down; 0 when it was never up.
local function guarded_until()
  return tonumber(redis.call("HGET", guard_key, "until") or 0)
end

-- A session was lost, and is no longer in `sessions`. True when that put the guard up: more than 30 % of those that
-- were there, and at least 3, within 10 s.
local function count_loss(id)
  if guarded_until() > now then return false end
  redis.call("ZADD", losses_key, now, id)
  redis.call("ZREMRANGEBYSCORE", losses_key, "-inf", now - WINDOW_MS)
  local lost = redis.call("ZCARD", losses_key)
  local before = lost + redis.call("ZCARD", sessions_key)
  if lost < FEWEST_LOST or lost * 10 <= before * 3 then return false end
  redis.call("HSET", guard_key, "until", now + GUARD_UP_MS, "before", before)
  redis.call("DEL", losses_key)
  return true
end

-- A session came. A worker that is back has another session id, so whoever comes makes good the oldest loss: otherwise
-- workers that reconnect one after the other would count as lost and as there at once. The guard goes down when 70 % of
-- those that were there before are there again.
local function count_return(id)
  if redis.call("ZREM", losses_key, id) == 0 then redis.call("ZPOPMIN", losses_key) end
  local ends, before = unpack(redis.call("HMGET", guard_key, "until", "before"))
  if not ends or tonumber(ends) <= now then return end
  if redis.call("ZCARD", sessions_key) * 10 >= tonumber(before) * 7 then redis.call("HSET", guard_key, "until", now) end
end
