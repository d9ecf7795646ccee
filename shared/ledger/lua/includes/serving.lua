-- serving: tells whether freed room has somebody waiting for it.
-- @include waiting

-- The pool to serve, "" for none: exactly those scripts that made room say so, and only when a job waits there.
local function to_serve(pool, got_room)
  if got_room and pool and parked_count(pool) > 0 then return pool end
  return ""
end

-- The same for scripts that make room in several: adds the pool to the list once.
local function also_serve(serve, pool, got_room)
  if to_serve(pool, got_room) == "" then return end
  for _, listed in ipairs(serve) do if listed == pool then return end end
  serve[#serve + 1] = pool
end
