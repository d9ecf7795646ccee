-- draining: which drains hold a session. A drain is asked for by an operator and kept in `drains`: it holds the sessions that
-- are there and those that come while it stands. `drained` of a session lists the ids of those that hold it, with commas,
-- and is absent when none does; `drains_revision` says which state of `drains` that follows. Its worker's own `draining` is
-- another matter: neither undoes the other.
-- @key drains drains
-- @key drains-revision drains-revision
-- @family session session:

local drains_by_id
local function kept_drains()
  if drains_by_id then return drains_by_id end
  drains_by_id = {}
  local flat = redis.call("HGETALL", drains_key)
  for index = 1, #flat, 2 do drains_by_id[flat[index]] = cjson.decode(flat[index + 1]) end
  return drains_by_id
end

local function covers(drain, id, facts)
  if drain.kind == "worker" then return drain.value == id end
  if drain.kind == "gateway" then return drain.value == facts.gateway end
  if drain.kind == "client_ip" then return drain.value == facts.client_ip end
  -- One of a kind that a later version has holds nobody here.
  return drain.kind == "deployment" and drain.agent == facts.agent and drain.value == facts.deployment
end

-- What a drain can go by, and how far the session follows; nil when it is not there.
local function drain_facts(id)
  local gateway, agent, deployment, client_ip, drained, revision = unpack(redis.call("HMGET", session_of(id),
    "gateway", "agent", "deployment", "client_ip", "drained", "drains_revision"))
  return gateway and { gateway = gateway, agent = agent, deployment = deployment, client_ip = client_ip,
    drained = drained or "", revision = revision or "0" }
end

-- Brings a session in line with the drains that stand; true when that changed who holds it, so that it is to be placed.
-- Where there never was a drain, that is one look a script.
local drains_revision
local function follow_drains(id)
  drains_revision = drains_revision or redis.call("GET", drains_revision_key) or "0"
  local facts = drains_revision ~= "0" and drain_facts(id)
  if not facts or facts.revision == drains_revision then return false end
  local holding = {}
  for drain_id, drain in pairs(kept_drains()) do
    if covers(drain, id, facts) then holding[#holding + 1] = drain_id end
  end
  table.sort(holding)
  local drained = table.concat(holding, ",")
  redis.call("HSET", session_of(id), "drains_revision", drains_revision)
  if drained == facts.drained then return false end
  if drained == "" then
    redis.call("HDEL", session_of(id), "drained")
  else
    redis.call("HSET", session_of(id), "drained", drained)
  end
  return true
end

-- The drain of this worker alone; nil when there is none.
local function drain_of_worker(id)
  for drain_id, drain in pairs(kept_drains()) do
    if drain.kind == "worker" and drain.value == id then return drain_id end
  end
  return nil
end

-- It ends with its session. Nobody else followed it, so the others stay in line.
local function end_drain_of_worker(id)
  local drain_id = drain_of_worker(id)
  if not drain_id then return end
  redis.call("HDEL", drains_key, drain_id)
  drains_by_id[drain_id] = nil
end
