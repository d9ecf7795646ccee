-- delete-drain: a drain is undone: it holds no session any more that registers or says its load. Those that say nothing for
-- the moment are let go by apply-drains. Repeating it finds nothing, and changes nothing.
-- Dying after it: each session follows with its next load sample, or with a repeat.
-- @key drains drains
-- @key drains-revision drains-revision
-- @key deadlines deadlines
-- @family session session:
-- @arg drain string Id.
-- @reply deleted text:string
-- @reply unknown

local text = redis.call("HGET", drains_key, drain)
if not text then return { "unknown" } end
redis.call("HDEL", drains_key, drain)
redis.call("INCR", drains_revision_key)
-- Of a worker that was lost: nothing is left to end.
local terms = cjson.decode(text)
if terms.kind == "worker" and redis.call("EXISTS", session_of(terms.value)) == 0 then
  redis.call("ZREM", deadlines_key, "session|" .. terms.value)
end
return { "deleted", text }
