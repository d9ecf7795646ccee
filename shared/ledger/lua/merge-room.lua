-- merge-room: what a webhook or RoomService says of a room goes into the room book. Merging the same twice, or in another
-- order, gives the same book: who has left stays gone, who published has published, a life that is over stays over, and
-- of two words on the same thing the later one counts.
-- Lives of a room are told apart by sid and ordered by when they began; the latest is the present one, over or not. Where
-- that was not said, when they were first spoken of stands in.
-- Answered with the present life as the book then has it, whichever life was spoken of, and those who were spoken of.
-- Each life counts its callers (everybody but agents and recorders): `callers` is how many are there, `seen_at` when one
-- was last known to be there. Somebody whose kind nobody told yet is not counted. Of a life that is over, late words can only
-- tell that one was there at all: then it is taken for there until the end.
-- Dying after it: whoever brought the facts brings them again, or the reconciler finds them.
-- @slot room
-- @include records
-- @include lives
-- @key infos infos
-- @family people people:
-- @arg sid string Sid of the life that is spoken of.
-- @arg created-at int When it began, Unix ms; 0 when not said.
-- @arg is-over bool It is over.
-- @arg info string Room message, base64; empty when not said.
-- @arg said-at int When the source said so, Unix ms by its clock.
-- @arg changes json:shapes.RoomChange[] What is said of participants. At most 1000.
-- @arg keep-ms int How long a book in which nothing is written is kept.
-- @reply merged sid:string live:int info:string info-at:int people:json:shapes.RoomPerson[]

local MAX_LIVES, MAX_PEOPLE, FORGET_LEFT_MS = 8, 2000, 600000

local lives = read_lives()
local function forget(id)
  lives[id] = nil
  redis.call("HDEL", lives_key, id)
  redis.call("HDEL", infos_key, id, id .. "|said_at")
  redis.call("DEL", people_of(id))
end

local life = lives[sid] or { created_at = 0, said_at = said_at, over = 0 }
lives[sid] = life
if created_at > 0 then life.created_at = created_at end
life.said_at = math.min(life.said_at, said_at)
if is_over then
  life.over = 1
  life.over_at = life.over_at or now
end
local count, oldest = 0, nil
for id in pairs(lives) do
  count = count + 1
  if not oldest or is_later(lives, oldest, id) then oldest = id end
end
if count > MAX_LIVES then forget(oldest) end

local present = latest_life(lives)
if info ~= "" and lives[sid] then
  local known_at = tonumber(redis.call("HGET", infos_key, sid .. "|said_at") or -1)
  if said_at >= known_at then redis.call("HSET", infos_key, sid, info, sid .. "|said_at", string.format("%.0f", said_at)) end
end

local function is_caller(person)
  return person.kind and person.kind ~= "agent" and person.kind ~= "egress"
end

-- `counted` is kept with the person: 1 while it counts among the callers, 0 once it left, absent before it was known as one.
local function count_caller(person)
  if not is_caller(person) then return end
  local is_here = not person.left_at
  if is_here or person.counted ~= 0 then life.seen_at = now end
  if is_here and person.counted ~= 1 then life.callers = (life.callers or 0) + 1 end
  if not is_here and person.counted == 1 then life.callers = math.max(0, (life.callers or 0) - 1) end
  person.counted = is_here and 1 or 0
end

-- Of a life that is over, or was followed by another, nobody is kept.
local function merge_person(change)
  local known = redis.call("HGET", people_of(sid), change.sid)
  local person = known and cjson.decode(known) or { sid = change.sid, identity = change.identity, said_at = -1 }
  if said_at >= person.said_at then
    person.attributes = change.attributes or person.attributes
    person.info = change.info or person.info
    if change.attributes or change.info then person.said_at = said_at end
  else
    person.attributes = person.attributes or change.attributes
    person.info = person.info or change.info
  end
  if person.identity == "" then person.identity = change.identity end
  person.kind = change.kind or person.kind
  person.publishes = change.publishes or person.publishes
  if change.joined_at then person.joined_at = math.min(change.joined_at, person.joined_at or change.joined_at) end
  if change.left_at then
    person.left_at = math.min(change.left_at, person.left_at or change.left_at)
    if (change.left_reason or "") ~= "" then person.left_reason = change.left_reason end
    person.left_reason = person.left_reason or ""
  end
  person.heard_at = now
  count_caller(person)
  redis.call("HSET", people_of(sid), change.sid, cjson.encode(person))
  return person
end

-- LiveKit gives up on a webhook after 30 s: what was said of who left long ago can come no more.
local function forget_left()
  local everybody = redis.call("HGETALL", people_of(sid))
  for i = 1, #everybody, 2 do
    local person = cjson.decode(everybody[i + 1])
    if person.left_at and now - person.heard_at > FORGET_LEFT_MS then redis.call("HDEL", people_of(sid), everybody[i]) end
  end
end

local people = {}
if sid == present and life.over == 0 then
  for _, change in ipairs(changes) do people[#people + 1] = merge_person(change) end
  if redis.call("HLEN", people_of(sid)) % MAX_PEOPLE == MAX_PEOPLE - 1 then forget_left() end
  redis.call("PEXPIRE", people_of(sid), keep_ms)
end
for id, one in pairs(lives) do
  if id ~= present or one.over == 1 then
    redis.call("DEL", people_of(id))
    -- They were there until it ended, or until the next life showed that it had.
    local had_callers = (one.callers or 0) > 0
    if had_callers or not one.over_at then
      one.over_at = one.over_at or now
      if had_callers then one.callers, one.seen_at = 0, one.over_at end
      redis.call("HSET", lives_key, id, cjson.encode(one))
    end
  end
end
if lives[sid] then
  for _, change in ipairs(life.over_at and changes or {}) do
    if is_caller(change) then life.seen_at = life.seen_at or life.over_at end
  end
  redis.call("HSET", lives_key, sid, cjson.encode(life))
end
redis.call("PEXPIRE", lives_key, keep_ms)
redis.call("PEXPIRE", infos_key, keep_ms)
local known_info, known_at = unpack(redis.call("HMGET", infos_key, present, present .. "|said_at"))
local is_live = lives[present].over == 0 and 1 or 0
return { "merged", present, is_live, known_info or "", known_at or 0, encode_list(people) }
