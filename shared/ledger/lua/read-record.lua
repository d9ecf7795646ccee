-- read-record: one session, job or order, as it stands. Reads only.
-- @key record <kind>:<id>
-- @arg kind string session | job | order
-- @arg id string Its id.
-- @reply found record:hash
-- @reply unknown

local record = redis.call("HGETALL", record_key)
if #record == 0 then return { "unknown" } end
return { "found", record }
