-- find-person: what the room book has of one participant of the room's present life: `here`, `left`, or `unknown` when it
-- was never spoken of there. Reads only.
-- @slot room
-- @include lives
-- @family people people:
-- @arg sid string Sid of the participant.
-- @reply here
-- @reply left reason:string
-- @reply room_over
-- @reply unknown

local lives = read_lives()
local present = latest_life(lives)
if not present then return { "unknown" } end
if lives[present].over == 1 then return { "room_over" } end
local known = redis.call("HGET", people_of(present), sid)
if not known then return { "unknown" } end
local person = cjson.decode(known)
if person.left_at then return { "left", person.left_reason or "" } end
return { "here" }
