-- create-order: a work order is accepted, with the jobs known now. The second of three steps: directory, this, queue.
-- Repeating it answers `exists`, with the jobs that still want their queue entry. Dying after it: the guard timer of
-- each job, or of an open order itself, finds it, and the index finds the namespace. Jobs of an order that is on hold want
-- no entry.
-- An order of an agent that is one per room is merged into the live order of that agent which the room has already, the oldest
-- one: nothing is made. That is remembered under its id for as long as an ended order is kept, so that a repeat is answered the
-- same, whatever it now asks for, what the policies now say and who knows the agent by then. That there was ever such an order is
-- noted in the index for good: only then others look whether they were.
-- `outdated`: another namespace knows an agent of this one since, so the list may lack it; nothing is made before it is read again.
-- Orders for participants are neither merged nor merged into, nor are those of another life of the room.
-- @key order order:<order>
-- @key orders orders
-- @key order-jobs order-jobs:<order>
-- @key room-orders room-orders:<room>
-- @include waking
-- @include queueing
-- @include suspending
-- @include awaiting
-- @include policies
-- @family order order:
-- @family merged merged:
-- @arg order string Order id.
-- @arg room string Room name.
-- @arg facts json:shapes.OrderFacts What the order is; kept as given.
-- @arg new-jobs json:shapes.NewJob[] The jobs known now; a room order has one, an open one none. At most 1000.
-- @arg retain-ms int How long the order and its jobs are kept after they ended.
-- @arg guard-ms int After this time a queued job that nobody tried is tried.
-- @arg wait-ms int How long a job may wait for a worker.
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @arg known-for-ms int How old the list of namespaces is that brought the order here; -1 = it came by no list.
-- @reply created
-- @reply exists state:string queued:strings
-- @reply merged into:string asked:string
-- @reply outdated
-- @reply unindexed rests:int

-- Orders of the room, the newest.
local MOST_LOOKED_AT = 1000

local known = redis.call("HGET", order_key, "state")
if known then
  local queued = {}
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", order_jobs_key, 0, 0, "LIMIT", 0, 1000)) do
    if redis.call("HGET", job_of(id), "state") == "queued" then queued[#queued + 1] = id end
  end
  return { "exists", known, queued }
end

local may_be_merged = some_agent_is_one or facts.one_per_room == 1
if may_be_merged then
  local into, asked = unpack(redis.call("HMGET", merged_of(order), "into", "asked"))
  if into then return { "merged", into, asked } end
end

if known_for_ms >= 0 and agents_at and now - known_for_ms <= tonumber(agents_at) then return { "outdated" } end

local function is_one_per_room()
  if facts.target ~= "room" or facts.one_per_room == 0 then return false end
  if facts.one_per_room == 1 then return true end
  return some_agent_is_one and new_jobs[1] and placement_policy(new_jobs[1].pool).one_per_room
end
local function first_order()
  for _, id in ipairs(redis.call("ZRANGE", room_orders_key, -MOST_LOOKED_AT, -1)) do
    local state, agent, target, sid = unpack(redis.call("HMGET", order_of(id), "state", "agent", "target", "room_sid"))
    local is_same_life = not sid or not facts.room_sid or sid == facts.room_sid
    if state == "live" and agent == facts.agent and target == "room" and is_same_life then return id end
  end
end
local into = is_one_per_room() and first_order()
if into then
  redis.call("HSET", merged_of(order), "into", into, "asked", facts.asked or "")
  redis.call("PEXPIRE", merged_of(order), retain_ms)
  if not some_agent_is_one then redis.call("HSET", index_key, "one_per_room", 1) end
  return { "merged", into, facts.asked or "" }
end

if must_index(rests) then return { "unindexed", rests_so_far() } end

keep_listening(listen_ms)
local at = string.format("%.0f", now)
local fields = { "id", order, "room", room, "state", "live", "created_at", at, "deleted_at", "0", "ended_at", "0",
  "retain_ms", retain_ms }
for field, value in pairs(facts) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
redis.call("HSET", order_key, unpack(fields))
redis.call("ZADD", orders_key, at, order)
redis.call("ZADD", room_orders_key, at, order)
local first_step = facts.fallback and cjson.decode(facts.fallback)[2]
for _, job in ipairs(new_jobs) do
  job.order, job.room, job.priority = order, room, facts.priority
  job.prefers, job.loosens, job.sticky = facts.prefer and 1 or nil, facts.loosens, facts.sticky
  job.fallback_after = first_step and first_step.after_ms or nil
  redis.call("ZADD", order_jobs_key, 0, job.id)
  local id = job.id
  queue_job(id, job, retain_ms, guard_ms, wait_ms)
  if facts.held then suspend(id, job) end
end
if facts.open then await_room(order) end
stay_awake()
return { "created" }
