-- presence: whether somebody can say if an agent is in its room, because a LiveKit is known. The host of the namespace says so,
-- again and again; where it does not, a worker's word on its jobs stands.
-- @key presence presence

-- Never shortens what was said before; 0 leaves it.
local function keep_presence(for_ms)
  if for_ms > 0 and redis.call("PTTL", presence_key) < for_ms then
    redis.call("SET", presence_key, 1, "PX", for_ms)
  end
end

local function presence_is_known()
  return redis.call("EXISTS", presence_key) == 1
end
