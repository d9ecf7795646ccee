-- put-definition: a rule or a room configuration of a project is stored, in place of the one of its id if there is one. Each
-- change has a version that is later than all before it, of whatever object, also when Redis forgot some: the time of the
-- change, or one more than the last one. So a version is never used twice, and what changed since one can be told.
-- Repeating it answers the same: what is stored already stays as it is, whatever version was asked for.
-- @slot definitions
-- @key texts <kind>
-- @key versions <kind>-versions
-- @key revision revision
-- @arg kind string rules | configurations
-- @arg id string Id.
-- @arg text string The object as JSON; the same text is the same object.
-- @arg if-version int Only in place of this version; 0 = whatever there is, or nothing.
-- @arg max-count int Objects of this kind, at most.
-- @arg max-bytes int Of the texts of this kind together, at most.
-- @reply stored version:int created:int
-- @reply changed version:int
-- @reply full count:int
-- @reply too_large bytes:int

-- As many as were taken before their number was a setting; those that are there stay.
local MOST_EVER = 1000

local present = redis.call("HGET", texts_key, id)
local version = tonumber(redis.call("ZSCORE", versions_key, id) or 0)
if present == text then return { "stored", version, 0 } end
if if_version > 0 and if_version ~= version then return { "changed", version } end

local count = redis.call("HLEN", texts_key)
if not present and count >= max_count then return { "full", count } end
local bytes = #text - #(present or "")
for _, other in ipairs(redis.call("ZRANGE", versions_key, 0, math.max(max_count, MOST_EVER))) do
  bytes = bytes + redis.call("HSTRLEN", texts_key, other)
end
if bytes > max_bytes then return { "too_large", bytes } end

local next_version = math.max(now, tonumber(redis.call("GET", revision_key) or 0) + 1)
redis.call("SET", revision_key, string.format("%.0f", next_version))
redis.call("HSET", texts_key, id, text)
redis.call("ZADD", versions_key, next_version, id)
return { "stored", next_version, present and 0 or 1 }
