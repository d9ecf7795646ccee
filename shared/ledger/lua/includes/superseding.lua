-- superseding: where a worker reports nothing and no LiveKit is known, only the caller can show that a job is over: by a later
-- order for the same agent in the same room, or with the same sticky key. The earlier job ends as `unknown`, cause
-- `superseded`, and its place is free. Its worker is not told to stop: if the caller wanted two agents, both go on.
-- Only a job that had outlived its start deadline when the later one was made counts as earlier: orders that come together
-- want several agents. Only jobs for a whole room: participants have one each.
-- @include ending
-- @include presence
-- @include serving
-- @family unheard unheard:

-- By room or key, the newest. Ended ones are passed over; the set expires by itself.
local MOST_UNHEARD = 16

local function unheard_names(job)
  local names = { "room:" .. job.room }
  if job.sticky ~= "0" then names[2] = "key:" .. job.sticky end
  return names
end

-- The job passed its start deadline and nobody heard of it.
local function note_unheard(job_id, job, keep_ms)
  if job.type ~= "room" or job.order == "" then return end
  for _, name in ipairs(unheard_names(job)) do
    redis.call("ZADD", unheard_of(name), now, job_id)
    redis.call("ZREMRANGEBYRANK", unheard_of(name), 0, -1 - MOST_UNHEARD)
    redis.call("PEXPIRE", unheard_of(name), keep_ms)
  end
end

local function is_over(earlier, job)
  if earlier.state ~= "starting" or earlier.unseen_until == "0" or earlier.participant_sid ~= "" then return false end
  if earlier.order == job.order or agent_in(earlier.pool) ~= agent_in(job.pool) then return false end
  if tonumber(earlier.unseen_until) > tonumber(job.created_at) then return false end
  return redis.call("HGET", session_of(earlier.session), "reports") ~= "1"
end

-- Ends the earlier jobs that this one shows to be over. How many; and a pool to serve, "" for none.
local function supersede(job_id, job)
  local count, serve = 0, ""
  if job.type ~= "room" or job.order == "" then return count, serve end
  for _, name in ipairs(unheard_names(job)) do
    for _, id in ipairs(redis.call("ZRANGE", unheard_of(name), 0, -1)) do
      local earlier = id ~= job_id and read_job(id)
      if earlier and is_over(earlier, job) and not presence_is_known() then
        local got_room = end_job(id, earlier, "unknown", "superseded", "a later job took its place", false)
        count = count + 1
        if got_room then serve = earlier.pool end
        redis.call("ZREM", unheard_of(name), id)
      end
    end
  end
  return count, serve
end
