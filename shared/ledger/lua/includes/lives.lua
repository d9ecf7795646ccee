-- lives: the lives of a room, told apart by sid. The latest is the present one, over or not. Where it was not said when one
-- began, when it was first spoken of stands in.
-- @key lives lives

local function read_lives()
  local lives = {}
  local flat = redis.call("HGETALL", lives_key)
  for i = 1, #flat, 2 do lives[flat[i]] = cjson.decode(flat[i + 1]) end
  return lives
end

local function is_later(lives, one, other)
  local a, b = lives[one], lives[other]
  local a_began = a.created_at > 0 and a.created_at or a.said_at
  local b_began = b.created_at > 0 and b.created_at or b.said_at
  return a_began > b_began or (a_began == b_began and one > other)
end

-- Its sid; nil when the room was never spoken of.
local function latest_life(lives)
  local found
  for sid in pairs(lives) do if not found or is_later(lives, sid, found) then found = sid end end
  return found
end
