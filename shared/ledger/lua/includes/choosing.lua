-- choosing: in which order the sessions of a pool are asked whether they take a job, by the pool's strategy.
-- @include placing

-- Draws of the weighted strategy; after that many misses the least loaded one is taken.
local DRAWS = 16

-- A number from 0 up to 1, and another: the same for the same words. Redis gives scripts no randomness, and a claim that is
-- repeated should not draw anew.
local function two_draws(words)
  local digest = redis.sha1hex(words)
  return tonumber(string.sub(digest, 1, 8), 16) / 4294967296, tonumber(string.sub(digest, 9, 16), 16) / 4294967296
end

-- One session at random by its headroom, 1 - load, as livekit-server weighs them, and its load; nil when this draw hit nobody.
local function draw(key, words)
  local count = redis.call("ZCARD", key)
  if count == 0 then return nil end
  local at, chance = two_draws(words)
  local rank = math.floor(at * count)
  local id, load = unpack(redis.call("ZRANGE", key, rank, rank, "WITHSCORES"))
  local least = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2]
  if chance * (1 - tonumber(least)) < 1 - tonumber(load) then return id, load end
  return nil
end

-- Calls look(id, load) for the sessions of a set by rank, until it answers something, which is answered. Its second answer
-- says that it moved the session; then the ranks are read anew, and look has to know whom it saw. A short page first, for
-- mostly the first session will do.
local function walk(key, command, first_page, most, look)
  local from, page = 0, first_page
  while from < most do
    local ranked, has_moved = redis.call(command, key, from, from + page - 1, "WITHSCORES"), false
    for index = 1, #ranked, 2 do
      local answer, is_moved = look(ranked[index], ranked[index + 1])
      if answer then return answer end
      has_moved = has_moved or is_moved
    end
    if not has_moved then
      if #ranked < 2 * page then return nil end
      from, page = from + page, most - from - page
    end
  end
  return nil
end

-- The sessions of a pool, or of those of it with reserved room, by its strategy: the least loaded first (`spread`), the most
-- loaded first that still has room (`pack`), or some at random and then the least loaded (`weighted`).
local function choose(key, strategy, words, first_page, most, look)
  if strategy == "weighted" then
    for index = 1, DRAWS do
      local id, load = draw(key, words .. index)
      local answer = id and look(id, load)
      if answer then return answer end
    end
  end
  return walk(key, strategy == "pack" and "ZREVRANGE" or "ZRANGE", first_page, most, look)
end
