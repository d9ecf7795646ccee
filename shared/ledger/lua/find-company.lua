-- find-company: whether anybody but agents and recorders is in the present life of a room, and whether anybody was; page by
-- page, `next` is the cursor to go on from, "0" behind the last. Who left a moment ago may be coming back (a page that is
-- loaded anew), and counts as there. Reads only.
-- @slot room
-- @include lives
-- @family people people:
-- @arg cursor string "0" to begin.
-- @arg limit int Participants, about.
-- @arg rejoin-ms int How long somebody may take to come back.
-- @reply company here:int gone:int next:string
-- @reply unknown

local lives = read_lives()
local present = latest_life(lives)
if not present then return { "unknown" } end
local page = redis.call("HSCAN", people_of(present), cursor, "COUNT", limit)
local here, gone = 0, 0
for i = 2, #page[2], 2 do
  local person = cjson.decode(page[2][i])
  if person.kind ~= "agent" and person.kind ~= "egress" then
    local is_away = person.left_at and now - person.heard_at >= rejoin_ms
    if is_away then gone = gone + 1 else here = here + 1 end
  end
end
return { "company", here, gone, page[1] }
