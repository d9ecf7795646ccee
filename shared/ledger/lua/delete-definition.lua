-- delete-definition: a rule or a room configuration of a project goes. Repeating it finds nothing, and changes nothing.
-- @slot definitions
-- @key texts <kind>
-- @key versions <kind>-versions
-- @key revision revision
-- @arg kind string rules | configurations
-- @arg id string Id.
-- @arg if-version int Only this version; 0 = whatever there is.
-- @reply deleted version:int
-- @reply changed version:int
-- @reply unknown

local version = tonumber(redis.call("ZSCORE", versions_key, id) or 0)
if version == 0 then return { "unknown" } end
if if_version > 0 and if_version ~= version then return { "changed", version } end
local next_version = math.max(now, tonumber(redis.call("GET", revision_key) or 0) + 1)
redis.call("SET", revision_key, string.format("%.0f", next_version))
redis.call("HDEL", texts_key, id)
redis.call("ZREM", versions_key, id)
return { "deleted", version }
