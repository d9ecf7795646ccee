-- read-definition: one rule or room configuration of a project. Reads only.
-- @slot definitions
-- @key texts <kind>
-- @key versions <kind>-versions
-- @arg kind string rules | configurations
-- @arg id string Id.
-- @reply found version:int text:string
-- @reply unknown

local text = redis.call("HGET", texts_key, id)
if not text then return { "unknown" } end
return { "found", tonumber(redis.call("ZSCORE", versions_key, id)), text }
