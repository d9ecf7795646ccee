-- explain-job: a job as it stands, with what is kept of the attempts to place it (includes/attempting). Reads only.
-- @key job job:<job>
-- @key attempts attempts:<job>
-- @arg job string Job id.
-- @reply explained job:hash attempts:strings now:int
-- @reply unknown

local record = redis.call("HGETALL", job_key)
if #record == 0 then return { "unknown" } end
return { "explained", record, redis.call("LRANGE", attempts_key, 0, -1), now }
