-- measure-drain: how far a drain is: a page of the sessions, the newest first, as apply-drains takes them. Counts those that
-- it covers, those of them that do not follow it yet, and what they hold; on the first page also the jobs of its pools
-- whose worker's socket is away. Reads only. Counts of several pages are not of one moment.
-- @key sessions sessions
-- @include draining
-- @family session-jobs session-jobs:
-- @family orphans orphans:
-- @arg drain string Id.
-- @arg pools strings Pools of a deployment; else none.
-- @arg below int Rank to begin below; -1 = at the newest.
-- @arg limit int Sessions in one call, at most.
-- @reply measured sessions:int behind:int jobs:int offers:int orphans:int next:int
-- @reply unknown

local text = redis.call("HGET", drains_key, drain)
if not text then return { "unknown" } end
local terms = cjson.decode(text)
local first, ids = 0, { terms.value }
if terms.kind ~= "worker" then
  local last = (below < 0 and redis.call("ZCARD", sessions_key) or below) - 1
  first = math.max(0, last - limit + 1)
  ids = last < 0 and {} or redis.call("ZRANGE", sessions_key, first, last)
end
local sessions, behind, jobs, offers, away = 0, 0, 0, 0, 0
for _, id in ipairs(ids) do
  local facts = drain_facts(id)
  if facts and covers(terms, id, facts) then
    local open = redis.call("ZCOUNT", session_jobs_of(id), "+inf", "+inf")
    sessions, offers = sessions + 1, offers + open
    jobs = jobs + redis.call("ZCARD", session_jobs_of(id)) - open
    if not string.find("," .. facts.drained .. ",", "," .. drain .. ",", 1, true) then behind = behind + 1 end
  end
end
if below < 0 then
  for _, pool in ipairs(pools) do away = away + redis.call("SCARD", orphans_of(pool)) end
end
return { "measured", sessions, behind, jobs, offers, away, first }
