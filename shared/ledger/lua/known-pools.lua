-- known-pools: which of these pools were ever seen in the namespace, with a worker or since without. Reads only.
-- @key pools pools
-- @arg names strings Names of pools.
-- @reply known names:strings

local known = {}
for _, name in ipairs(names) do
  if redis.call("ZSCORE", pools_key, name) then known[#known + 1] = name end
end
return { "known", known }
