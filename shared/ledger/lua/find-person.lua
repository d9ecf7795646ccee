-- find-person: what the room book has of one participant of the room's present life: `here`, `left`, or `unknown` when it
-- was never spoken of there. Reads only.
-- @slot room
-- @key lives lives
-- @family people people:
-- @arg sid string Sid of the participant.
-- @reply here
-- @reply left reason:string
-- @reply room_over
-- @reply unknown

local present, began, over
local flat = redis.call("HGETALL", lives_key)
for i = 1, #flat, 2 do
  local life = cjson.decode(flat[i + 1])
  local at = life.created_at > 0 and life.created_at or life.said_at
  if not present or at > began or (at == began and flat[i] > present) then
    present, began, over = flat[i], at, life.over
  end
end
if not present then return { "unknown" } end
if over == 1 then return { "room_over" } end
local known = redis.call("HGET", people_of(present), sid)
if not known then return { "unknown" } end
local person = cjson.decode(known)
if person.left_at then return { "left", person.left_reason or "" } end
return { "here" }
