-- apply-drains: brings a page of the sessions in line with the drains that stand, the newest first: whoever came since the
-- first page is in line already, and whoever goes meanwhile moves nobody past a page. Names the pools that
-- have room and jobs that wait. A drained session keeps its open offers and its jobs.
-- Repeating it changes nothing. Dying after it: what was not reached follows with its next load sample.
-- @key sessions sessions
-- @include draining
-- @include serving
-- @include placing
-- @arg only string Just this session; empty = all.
-- @arg below int Rank to begin below; -1 = at the newest.
-- @arg limit int Sessions in one call, at most.
-- @reply applied next:int serve:strings

local first, ids = 0, { only }
if only == "" then
  local last = (below < 0 and redis.call("ZCARD", sessions_key) or below) - 1
  first = math.max(0, last - limit + 1)
  ids = last < 0 and {} or redis.call("ZRANGE", sessions_key, first, last)
end
local serve = {}
for _, id in ipairs(ids) do
  if follow_drains(id) then
    local has_room, pool = place(id)
    -- Jobs that waited for one that is held now wait no longer (includes/preferring).
    also_serve(serve, pool, has_room or pool_has_room(pool))
  end
end
return { "applied", first, serve }
