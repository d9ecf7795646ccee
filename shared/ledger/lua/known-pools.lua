-- known-pools: which of these pools were seen in the namespace, with a worker or since without, and not forgotten. Reads only.
-- @key pools pools
-- @include remembering
-- @arg names strings Names of pools.
-- @reply known names:strings

local known = {}
for _, name in ipairs(names) do
  if redis.call("ZSCORE", pools_key, name) and not is_past(name) then known[#known + 1] = name end
end
return { "known", known }
