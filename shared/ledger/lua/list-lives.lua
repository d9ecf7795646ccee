-- list-lives: the lives of a room that the book knows, 8 at most: whether each is over, how many callers (everybody but agents
-- and recorders) are there, and when one was last known to be there. Reads only.
-- @slot room
-- @include records
-- @include lives
-- @reply listed lives:json:shapes.RoomLife[]

local lives = read_lives()
local present = latest_life(lives)
local listed = {}
for sid, life in pairs(lives) do
  local is_over = sid ~= present or life.over == 1
  listed[#listed + 1] = { sid = sid, over = is_over and 1 or 0, callers = life.callers or 0, seen_at = life.seen_at or 0 }
end
return { "listed", encode_list(listed) }
