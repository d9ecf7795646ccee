-- list-waiting: what an actor may have missed the hint of: pools where jobs are parked although a session has room, and
-- orphans. Changes no job. Says to the namespace that presence is known, where the caller knows it. Looks at some pools a call, the newest first; `next` is the rank to go on from, -1 at the
-- end. Beside it, how much the namespace holds.
-- @key pools pools
-- @key jobs jobs
-- @key sessions sessions
-- @family parked parked:
-- @family orphans orphans:
-- @include placing
-- @include presence
-- @arg first int Rank of the first pool to look at.
-- @arg limit int Pools looked at in one call, and orphans listed of each, at most.
-- @arg presence-ms int For how long from now presence is known to the namespace, at least; 0 = not by the caller.
-- @reply waiting pools:strings orphans:strings next:int jobs:int sessions:int now:int

keep_presence(presence_ms)
local listed = redis.call("ZREVRANGE", pools_key, first, first + limit - 1)
local waiting, lost = {}, {}
for _, name in ipairs(listed) do
  if redis.call("ZCARD", parked_of(name)) > 0 and pool_has_room(name) then
    waiting[#waiting + 1] = name
  end
  for _, id in ipairs(redis.call("SRANDMEMBER", orphans_of(name), limit)) do lost[#lost + 1] = id end
end
local following = #listed == limit and first + limit or -1
return { "waiting", waiting, lost, following, redis.call("ZCARD", jobs_key), redis.call("ZCARD", sessions_key), now }
