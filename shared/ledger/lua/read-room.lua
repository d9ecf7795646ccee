-- read-room: the present life of a room as the book has it, and some of its participants; `next` is the cursor to go on
-- from, "0" behind the last. Reads only. Who comes or goes meanwhile may be in it or not, or twice.
-- @slot room
-- @include lives
-- @key infos infos
-- @family people people:
-- @arg cursor string "0" to begin.
-- @arg limit int Participants, about.
-- @reply found sid:string live:int info:string info-at:int next:string people:json:shapes.RoomPerson[]
-- @reply unknown

local lives = read_lives()
local present = latest_life(lives)
if not present then return { "unknown" } end
local page = redis.call("HSCAN", people_of(present), cursor, "COUNT", limit)
local people = {}
for i = 2, #page[2], 2 do people[#people + 1] = page[2][i] end
local info, info_at = unpack(redis.call("HMGET", infos_key, present, present .. "|said_at"))
local is_live = lives[present].over == 0 and 1 or 0
return { "found", present, is_live, info or "", info_at or 0, page[1], "[" .. table.concat(people, ",") .. "]" }
