-- find-position: where a waiting job stands in the line of its pool, 0 being the next, and how long that may take:
-- `estimate` in ms, 0 when nothing is known. `ejected-until`: nobody has room, and so long the first of the pool's workers
-- that were ejected is offered nothing; 0 = none is. One that is about to be tried stands where it would be parked. Reads only.
-- @key job job:<job>
-- @include waiting
-- @family pool pool:
-- @family ejected ejected:
-- @arg job string Job id.
-- @reply stands position:int estimate:int ejected-until:int
-- @reply nowhere

local record = read_job(job)
local waits = record and (record.state == "queued" or record.state == "parked") and record.held ~= "1"
if not waits then return { "nowhere" } end
local line = parked_of(record.pool)
local position = redis.call("ZRANK", line, job)
if not position then position = redis.call("ZCOUNT", line, "-inf", string.format("(%.0f", rank(record))) end
local ejected_until = 0
if redis.call("ZCARD", pool_of(record.pool)) == 0 then
  ejected_until = tonumber(redis.call("ZRANGE", ejected_of(record.pool), 0, 0, "WITHSCORES")[2] or 0)
end
return { "stands", position, estimated_wait(record.pool, position), ejected_until }
