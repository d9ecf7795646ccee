-- list-drains: the drains of a namespace, in no order. Reads only.
-- @key drains drains
-- @reply drains texts:strings

return { "drains", redis.call("HVALS", drains_key) }
