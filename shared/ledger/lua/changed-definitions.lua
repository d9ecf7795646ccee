-- changed-definitions: what a reader that has a project's rules and room configurations of one revision needs to have those
-- of the present one: all ids with their versions, and the texts that changed since, the longest unchanged first. Where
-- these become too much for one answer, `read-up-to` is before `revision`, and the call is repeated from there.
-- Reads only. A revision that is not the present one may also be later: Redis forgot what came behind it.
-- @slot definitions
-- @key rules rules
-- @key rules-versions rules-versions
-- @key configurations configurations
-- @key configurations-versions configurations-versions
-- @key revision revision
-- @arg since int Revision that the reader has; 0 = nothing.
-- @arg max-bytes int Of texts; the one that goes beyond is the last one.
-- @reply unchanged
-- @reply changed revision:int read-up-to:int rules:strings configurations:strings texts:strings

local revision = tonumber(redis.call("GET", revision_key) or 0)
if revision == since then return { "unchanged" } end

local newer = {}
local function list(kind, texts, versions)
  local there = redis.call("ZRANGE", versions, 0, -1, "WITHSCORES")
  for i = 1, #there, 2 do
    local version = tonumber(there[i + 1])
    if version > since then newer[#newer + 1] = { kind, there[i], version, texts } end
  end
  return there
end
local rules = list("rules", rules_key, rules_versions_key)
local configurations = list("configurations", configurations_key, configurations_versions_key)
table.sort(newer, function(a, b) return a[3] < b[3] end)

local texts, bytes, read_up_to = {}, 0, revision
for _, one in ipairs(newer) do
  if bytes >= max_bytes then break end
  local text = redis.call("HGET", one[4], one[2])
  for _, part in ipairs({ one[1], one[2], text }) do texts[#texts + 1] = part end
  bytes, read_up_to = bytes + #text, one[3]
end
if #texts == #newer * 3 then read_up_to = revision end
return { "changed", revision, read_up_to, rules, configurations, texts }
