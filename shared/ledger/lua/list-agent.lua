-- list-agent: the namespaces that know an agent. Where some had a worker of it for long, those that had one for a moment only
-- count while they have workers: a name that somebody tried once multiplies nobody's orders. `brief`: none of them had one for
-- long, so each is soon forgotten unless an order has nowhere else to go (keep-agent). Reads only.
-- @slot directory
-- @key agent agent:<agent>
-- @key agent-until agent-until:<agent>
-- @key live-namespaces live-namespaces
-- @key empty-namespaces empty-namespaces
-- @arg agent string Agent name.
-- @arg brief-ms int What is remembered for no longer than this from now is remembered briefly.
-- @reply known namespaces:strings brief:int

local ends_by_name, names, briefs = {}, {}, {}
local kept = redis.call("ZRANGE", agent_until_key, 0, -1, "WITHSCORES")
for index = 1, #kept, 2 do ends_by_name[kept[index]] = tonumber(kept[index + 1]) end
for _, name in ipairs(redis.call("SMEMBERS", agent_key)) do
  -- A version that keeps no times wrote it.
  local ends = ends_by_name[name] or math.huge
  if ends > now + brief_ms then
    names[#names + 1] = name
  elseif ends > now then
    briefs[#briefs + 1] = name
  end
end
local is_brief = #names == 0 and #briefs > 0
for _, name in ipairs(briefs) do
  local is_default = not string.find(name, ":", 1, true)
  local is_live = tonumber(redis.call("ZSCORE", live_namespaces_key, name) or 0) > now
  if is_brief or is_default or (is_live and not redis.call("ZSCORE", empty_namespaces_key, name)) then
    names[#names + 1] = name
  end
end
return { "known", names, is_brief and 1 or 0 }
