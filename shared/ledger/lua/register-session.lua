-- register-session: a worker's socket has registered; it can be offered work from now on. While its pool has orphans, only
-- after its migration, its first sample, or 300 ms: it may be the one that runs them, and is fuller than it looks.
-- What a job costs there is taken to be what others of its pool have learnt, if they have.
-- It may take as long to answer as others of its pool were seen to need; `answer-ms` says what was learnt there, 0 = nothing.
-- Drains that stand hold it from the start.
-- Dying after it: the lease ends and the session goes; its late entry has a timer.
-- Repeating it with the same session changes nothing. After a flush, or a lapse of its gateway, it makes the session anew.
-- @key session session:<session>
-- @key gateways gateways
-- @key gateway-sessions gateway-sessions:<gateway>
-- @key pools pools
-- @key costs costs
-- @key pool-sessions pool-sessions:<pool>
-- @include waking
-- @include serving
-- @include placing
-- @include draining
-- @include orphaning
-- @include guarding
-- @include answering
-- @include forgetting
-- @arg session string Session id, made by the gateway for this socket.
-- @arg gateway string Node id of the gateway that holds the socket.
-- @arg pool string Name of the pool (domain/pool).
-- @arg facts json:shapes.SessionFacts What the session is; kept as given.
-- @arg lease-ms int How long the gateway's lease in this namespace lasts from now.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply registered serve:string answer-ms:int
-- @reply unindexed rests:int

local ENTERING_MS = 300

if must_index(rests) then return { "unindexed", rests_so_far() } end
if redis.call("EXISTS", session_key) == 0 then
  local fields = { "id", session, "gateway", gateway, "pool", pool, "status", "available", "draining", 0, "load", 0,
    "job_count", 0, "counts", 0, "sampled_at", 0, "cooling_until", 0, "reports", 0, "connected_at", now }
  for field, value in pairs(facts) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  local learnt_cost = redis.call("HGET", costs_key, pool)
  if learnt_cost then
    fields[#fields + 1] = "learnt_cost"
    fields[#fields + 1] = learnt_cost
  end
  local answer_ms = taught_answer_ms(pool)
  if answer_ms > (facts.answer_ms or 0) then
    fields[#fields + 1] = "answer_ms"
    fields[#fields + 1] = answer_ms
  end
  redis.call("HSET", session_key, unpack(fields))
  redis.call("ZADD", sessions_key, now, session)
  redis.call("SADD", gateway_sessions_key, session)
  enter_pool(pool)
  redis.call("ZADD", pool_sessions_key, now, session)
  local made_good = count_return(session, pool, facts.api_key)
  if made_good then redis.call("HSET", session_key, "made_good", made_good) end
  if redis.call("SCARD", orphans_of(pool)) > 0 then
    redis.call("HSET", session_key, "entering_until", string.format("%.0f", now + ENTERING_MS))
    set_timer("session|" .. session, now + ENTERING_MS)
  end
end
stay_awake()
redis.call("ZADD", pools_key, now, pool)
redis.call("ZADD", gateways_key, "GT", now + lease_ms, gateway)
set_timer("gateway|" .. gateway, redis.call("ZSCORE", gateways_key, gateway))
follow_drains(session)
return { "registered", to_serve(pool, (place(session))), redis.call("HGET", session_key, "answer_ms") or 0 }
