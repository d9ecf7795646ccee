-- count-use: how many live jobs and orders, and sessions, a namespace has. Reads only.
-- @key jobs jobs
-- @key orders orders
-- @key sessions sessions
-- @reply used jobs:int orders:int sessions:int

return { "used", redis.call("ZCARD", jobs_key), redis.call("ZCARD", orders_key), redis.call("ZCARD", sessions_key) }
