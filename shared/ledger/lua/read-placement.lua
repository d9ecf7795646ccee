-- read-placement: the placement policies of a namespace, as JSON by field (set-placement). Reads only.
-- @key placement placement
-- @reply policies policies:hash

return { "policies", redis.call("HGETALL", placement_key) }
