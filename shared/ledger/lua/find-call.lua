-- find-call: what an earlier call under this id asked for here, whether it made an order or was merged into one. Reads only.
-- An order that came back from its running job, after Redis had forgotten all else, asks for nothing that is known.
-- @key order order:<order>
-- @key merged merged:<order>
-- @arg order string Id that the call gives its order.
-- @reply found asked:string
-- @reply unknown

local state, order_asked = unpack(redis.call("HMGET", order_key, "state", "asked"))
if state then return { "found", order_asked or "" } end
local into, merged_asked = unpack(redis.call("HMGET", merged_key, "into", "asked"))
if into then return { "found", merged_asked or "" } end
return { "unknown" }
