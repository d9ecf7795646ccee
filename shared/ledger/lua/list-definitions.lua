-- list-definitions: a page of a project's rules or room configurations, the longest unchanged first. Reads only. Ends early,
-- but never before its first one, where the texts become too much for one answer.
-- @slot definitions
-- @key texts <kind>
-- @key versions <kind>-versions
-- @arg kind string rules | configurations
-- @arg offset int First rank.
-- @arg limit int Objects, at most 500.
-- @arg max-bytes int Of texts; the one that goes beyond is the last one.
-- @reply page ids:strings versions:strings texts:strings total:int

local ids, versions, texts, bytes = {}, {}, {}, 0
for _, id in ipairs(redis.call("ZRANGE", versions_key, offset, offset + limit - 1)) do
  if bytes >= max_bytes then break end
  local text = redis.call("HGET", texts_key, id)
  ids[#ids + 1], texts[#texts + 1] = id, text
  versions[#versions + 1] = redis.call("ZSCORE", versions_key, id)
  bytes = bytes + #text
end
return { "page", ids, versions, texts, redis.call("ZCARD", versions_key) }
