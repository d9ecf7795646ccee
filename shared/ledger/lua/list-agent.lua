-- list-agent: the namespaces that know an agent. `brief`: none of them had a worker of it for long, so each is soon forgotten
-- unless an order has nowhere else to go (keep-agent). Reads only.
-- @slot directory
-- @key agent agent:<agent>
-- @key agent-until agent-until:<agent>
-- @arg agent string Agent name.
-- @arg brief-ms int What is remembered for no longer than this from now is remembered briefly.
-- @reply known namespaces:strings brief:int

local ends_by_name, names, brief = {}, {}, 1
local kept = redis.call("ZRANGE", agent_until_key, 0, -1, "WITHSCORES")
for index = 1, #kept, 2 do ends_by_name[kept[index]] = tonumber(kept[index + 1]) end
for _, name in ipairs(redis.call("SMEMBERS", agent_key)) do
  -- A version that keeps no times wrote it.
  local ends = ends_by_name[name] or math.huge
  if ends > now then names[#names + 1] = name end
  if ends > now + brief_ms then brief = 0 end
end
return { "known", names, #names > 0 and brief or 0 }
