-- guarding: many sessions that vanish at once are our outage or the network's, not theirs: while a guard is up, no
-- orphan of that loss is resumed for want of knowledge. Each pool has its own, and each API key in it: what strangers do
-- neither raises nor prolongs it. A session that was there for a moment only is no evidence: it is a crash loop.
-- @include jobs
-- @key sessions sessions
-- @key index index
-- @family losses losses:
-- @family arrivals arrivals:
-- @family pools-lost pools-lost:
-- @family guard guard:
-- @family pool-sessions pool-sessions:
-- @family session session:

-- A return is known for longer than a loss: a worker is back at once, and its old session lost when a lease, or the hold
-- after a gap of ours, is over.
local WINDOW_MS, RETURN_MS, GUARD_UP_MS, FEWEST_LOST = 10000, 20000, 300000, 3
-- A session that lived no longer says nothing of an outage when it goes.
local SETTLED_MS = 10000
-- What nobody touches goes by itself, also where the namespace went to rest.
local COUNTS_KEPT_MS, GUARD_KEPT_MS = 60000, 2 * GUARD_UP_MS
-- In the list of pools that lost some: that all of them were looked at.
local LOOKED = "!"

-- Names of pools have no `|`. By its own letters, so that a key may have any.
local function peers(pool, issuer)
  return pool .. "|" .. (issuer or "")
end

-- When the guard of these peers went up, when it goes or went down, and how many there were; 0 when it was never up
-- since the namespace last rested.
local function guard_of_peers(group)
  local since, ends, before, rests = unpack(redis.call("HMGET", guard_of(group), "since", "until", "before", "rests"))
  if not ends or rests ~= (redis.call("HGET", index_key, "rests") or "0") then return 0, 0, 0 end
  return tonumber(since), tonumber(ends), tonumber(before)
end

-- When the guard that holds this orphan goes or went down; 0 when there is none. It holds those of its own loss, and
-- those that are lost while it is up: what vanishes later does not make an orphan wait again.
local function guarded_until(job)
  if job.holder_peers == "" then return 0 end
  local since, ends = guard_of_peers(job.holder_peers)
  return tonumber(job.orphaned_at) <= since - WINDOW_MS and 0 or ends
end

local function forget_before(key, ms)
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - ms)
end

local function note(key, at, member)
  redis.call("ZADD", key, at, member)
  redis.call("PEXPIRE", key, COUNTS_KEPT_MS)
end

-- A session is gone, however that came: it is nobody's return any more. True when it came lately, and for no loss.
local function forget_arrival(id, group)
  if not group then
    local pool, issuer = unpack(redis.call("HMGET", session_of(id), "pool", "api_key"))
    if not pool then return false end
    group = peers(pool, issuer)
  end
  return redis.call("ZREM", arrivals_of(group), id) == 1
end

-- What the guard has to know of a session that goes, whose record is gone by then.
local function witness(id, pool, issuer, since, made_good)
  local lost = { pool = pool, issuer = issuer or "", group = peers(pool, issuer), since = tonumber(since or 0) }
  lost.came_lately = forget_arrival(id, lost.group)
  lost.is_settled = now - lost.since >= SETTLED_MS
  -- It came and went: what it made good is lost again.
  if made_good and not lost.is_settled then note(losses_of(lost.group), made_good, id) end
  return lost
end

local function raise(group, before)
  redis.call("HSET", guard_of(group), "since", now, "until", now + GUARD_UP_MS, "before", before,
    "rests", redis.call("HGET", index_key, "rests") or "0")
  redis.call("PEXPIRE", guard_of(group), GUARD_KEPT_MS)
  redis.call("DEL", losses_of(group))
end

-- Two of each pool count for all: pools so small that each is below its own bound make one picture. It raises the guards of
-- those that lost everybody. One neighbour, however many it loses, is no more than two.
local function count_for_small_pools(lost, lost_there)
  local list, raised = pools_lost_of(lost.issuer), false
  forget_before(list, WINDOW_MS)
  note(list, now, lost.pool)
  if lost_there > 1 then note(list, now, lost.pool .. "|2") end
  local looked = redis.call("ZSCORE", list, LOOKED)
  local count = redis.call("ZCARD", list) - (looked and 1 or 0)
  if count < FEWEST_LOST or count * 10 <= (count + redis.call("ZCARD", sessions_key)) * 3 then return false end
  for _, pool in ipairs(looked and { lost.pool } or redis.call("ZRANGE", list, 0, -1)) do
    local group = peers(pool, lost.issuer)
    local gone = redis.call("ZCARD", losses_of(group))
    if gone > 0 and redis.call("ZCARD", pool_sessions_of(pool)) == 0 then
      raise(group, gone)
      raised = true
    end
  end
  note(list, now, LOOKED)
  return raised
end

-- A session was lost, and is no longer in its pool. True when that put a guard up: more than 30 % of those of its pool
-- that were there, and at least 3, within 10 s.
-- The workers of a dead gateway are elsewhere before its lease ends: who came lately, for no loss, makes this one good.
-- One that came lately itself is a loss like any other.
local function count_loss(id, lost)
  local group = lost.group
  local since, ends = guard_of_peers(group)
  if not lost.is_settled then
    -- It was counted among those who are to come back.
    if ends > now and lost.since <= since then redis.call("HINCRBY", guard_of(group), "before", -1) end
    return false
  end
  if ends > now then return false end
  local losses, arrivals = losses_of(group), arrivals_of(group)
  forget_before(arrivals, RETURN_MS)
  while not lost.came_lately do
    local returned = redis.call("ZPOPMIN", arrivals)[1]
    if not returned then break end
    if redis.call("EXISTS", session_of(returned)) == 1 then
      redis.call("HSET", session_of(returned), "made_good", now)
      return false
    end
  end
  note(losses, now, id)
  forget_before(losses, WINDOW_MS)
  local count = redis.call("ZCARD", losses)
  local before = count + redis.call("ZCARD", pool_sessions_of(lost.pool))
  if count >= FEWEST_LOST and count * 10 > before * 3 then
    raise(group, before)
    return true
  end
  return count_for_small_pools(lost, count)
end

-- A session came. A worker that is back has another session id, so whoever comes makes good the oldest loss, or the next
-- one: otherwise workers that reconnect would count as lost and as there at once. The guard goes down when 70 % of those
-- that were there before are there again. Answers when the loss was that another session made good; nil when there was none.
local function count_return(id, pool, issuer)
  local group = peers(pool, issuer)
  local _, ends, before = guard_of_peers(group)
  if ends > now then
    if redis.call("ZCARD", pool_sessions_of(pool)) * 10 >= before * 7 then
      redis.call("HSET", guard_of(group), "until", now)
    end
    return nil
  end
  local losses, made_good = losses_of(group), nil
  local is_same = redis.call("ZREM", losses, id) == 1
  if not is_same then made_good = redis.call("ZPOPMIN", losses)[2] end
  if is_same or made_good then
    local left = redis.call("ZCARD", losses)
    if left < 2 then redis.call("ZREM", pools_lost_of(issuer or ""), pool .. "|2") end
    if left < 1 then redis.call("ZREM", pools_lost_of(issuer or ""), pool) end
    return made_good
  end
  forget_before(arrivals_of(group), RETURN_MS)
  note(arrivals_of(group), now, id)
  return nil
end
