-- waking: a namespace at rest has no actor and is listed in the due index only for its next timer.
-- @key index index

-- True when the caller must first list the namespace as due in the index, and call again with `rests` as answered.
-- The count of rests fences an index entry that an actor going to rest may have removed in between.
-- Two ride along, for create-order: whether an agent of the namespace was ever to be one per room, or an order, and since when another
-- namespace knows an agent of this one.
local is_awake, some_agent_is_one, agents_at = unpack(redis.call("HMGET", index_key, "awake", "one_per_room", "agents_at"))
local function must_index(rests)
  return not is_awake and tonumber(rests) ~= tonumber(redis.call("HGET", index_key, "rests") or 0)
end

local function rests_so_far()
  return tonumber(redis.call("HGET", index_key, "rests") or 0)
end

local function stay_awake()
  if not is_awake then redis.call("HSET", index_key, "awake", 1) end
end
