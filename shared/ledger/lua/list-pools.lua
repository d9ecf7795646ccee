-- list-pools: the pools of a namespace that have something to tell: those in which a worker registered last, the newest
-- first, and those that live jobs wait in though no worker was ever there, of the newest and the oldest live jobs. Reads only.
-- @key pools pools
-- @key jobs jobs
-- @family job job:
-- @arg limit int Pools with workers, at most; 1 at least.
-- @arg ends int Live jobs looked at, at most, of the newest and of the oldest each; 1 at least.
-- @reply pools names:strings

local names, listed = {}, {}
local function add(name)
  if not name or listed[name] then return end
  listed[name] = true
  names[#names + 1] = name
end
for _, name in ipairs(redis.call("ZREVRANGE", pools_key, 0, limit - 1)) do add(name) end
for _, command in ipairs({ "ZREVRANGE", "ZRANGE" }) do
  for _, id in ipairs(redis.call(command, jobs_key, 0, ends - 1)) do add(redis.call("HGET", job_of(id), "pool")) end
end
return { "pools", names }
