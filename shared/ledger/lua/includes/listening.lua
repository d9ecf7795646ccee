-- listening: whether anybody wants the events of this namespace. Whoever listens says so elsewhere; who calls here anyway,
-- and knows of it, passes it on for a while. A namespace where nobody said so tells nothing.
-- @key listening listening

-- Never shortens what somebody else asked for; 0 leaves it.
local function keep_listening(for_ms)
  if for_ms > 0 and redis.call("PTTL", listening_key) < for_ms then
    redis.call("SET", listening_key, 1, "PX", for_ms)
  end
end

local is_listened
local function somebody_listens()
  if is_listened == nil then is_listened = redis.call("EXISTS", listening_key) == 1 end
  return is_listened
end
