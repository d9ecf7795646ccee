-- blaming: whether the worker or the job is at fault when the two come to nothing. `struck` of a session is what is held
-- against it, `<reason>,<job>,<order>,<room>;` each, the newest 16. `doubts` of a job are the sessions that it came to
-- nothing with, `<session>,<at>,<reason>;` each, the first 8; `suspect_at` says since when two did, or one did twice that
-- took another job in between. Such a job is suspect: it says
-- nothing against a worker, stands behind all others in line (includes/waiting), and is not offered to one on probation.
-- Whoever accepts a job clears it of silence and refusals; one that ran for a while, or ended well, is cleared of all, and
-- from then on speaks against those who failed it.
-- @include waiting
-- @include clearing
-- @family job job:
-- @family parked parked:
-- @family session-jobs session-jobs:

local MOST_STRUCK, MOST_DOUBTS = 16, 8

-- Whether two sessions failed the job, and it was not cleared since: by running for `early_ms`, as far as that shows now.
local function is_unfit(job_id, early_ms)
  local suspect_at, state, running_at = unpack(redis.call("HMGET", job_of(job_id), "suspect_at", "state", "running_at"))
  if not suspect_at then return false end
  return not (state == "running" and running_at and tonumber(running_at) + early_ms <= now)
end

-- How much of one kind is held against a session: an order, and a room, counts once.
local function held_against(struck, reason, early_ms)
  local count, is_counted = 0, {}
  for why, job_id, order, room in string.gmatch(struck or "", "([^,;]*),([^,;]*),([^,;]*),([^,;]*);") do
    local of_order, of_room = "order " .. order, "room " .. room
    if why == reason and not is_counted[of_order] and not is_counted[of_room] and not is_unfit(job_id, early_ms) then
      count = count + 1
      is_counted[of_order], is_counted[of_room] = true, true
    end
  end
  return count
end

-- A session's list with one entry more, of a job whose own work order, and room, stand for it where it has none.
local function struck_with(struck, reason, job)
  local order = job.order ~= "" and job.order or job.id
  local room = string.sub(redis.sha1hex(job.room ~= "" and job.room or job.id), 1, 12)
  local text = (struck or "") .. reason .. "," .. job.id .. "," .. order .. "," .. room .. ";"
  local _, count = string.gsub(text, ";", "")
  if count > MOST_STRUCK then text = string.gsub(text, "^[^;]*;", "", 1) end
  return text
end

-- Whether the session took another job after that time, and has it still.
local function took_another(id, job, since)
  local count = redis.call("ZCOUNT", session_jobs_of(id), "(" .. since, "(+inf")
  local is_held = job.session == id and job.state ~= "offered"
  return count > (is_held and 1 or 0)
end

-- What to say of a job that is suspect, once.
local function tell_suspect(job, reason)
  job.suspect_told = "1"
  redis.call("HSET", job_of(job.id), "suspect_told", 1)
  tell("suspected", job.id, job, { state = job.state, reason = reason })
  return { suspect = job.id, room = job.room, agent = string.match(job.pool, "^[^/]*/([^/]*)") or "", reason = reason }
end

-- The job came to nothing with this session. Those with whom it did before; and what to say of it when that made it suspect.
local function doubt_job(job, id, reason)
  if job.is_cleared == true then return {}, nil end
  local others, since = {}, nil
  for session, at in string.gmatch(job.doubts, "([^,;]*),([^,;]*),[^;]*;") do
    if session == id then since = at else others[#others + 1] = session end
  end
  if not since and #others < MOST_DOUBTS then
    job.doubts = string.format("%s%s,%.0f,%s;", job.doubts, id, now, reason)
    redis.call("HSET", job_of(job.id), "doubts", job.doubts)
  end
  -- Who takes another job while it says nothing to this one is not silent.
  if reason == "silent" and not since then since = job.offered_at end
  local is_at_fault = #others > 0 or (since and took_another(id, job, since))
  if job.suspect_at ~= "0" or not is_at_fault then return others, nil end
  job.suspect_at = string.format("%.0f", now)
  redis.call("HSET", job_of(job.id), "suspect_at", job.suspect_at)
  if job.state == "parked" then
    redis.call("ZADD", parked_of(job.pool), "XX", string.format("%.0f", rank(job)), job.id)
  end
  -- Who declines is asked past at once: that is told when nobody is left (admit), for mostly somebody takes it.
  local is_told = reason == "fails_early" or reason == "never_starts"
  return others, is_told and tell_suspect(job, reason) or nil
end

-- It ran for a while, or ended well.
local function clear_job(job)
  if job.doubts == "" then return end
  redis.call("HDEL", job_of(job.id), "doubts", "suspect_at", "suspect_told")
  job.doubts, job.suspect_at = "", "0"
end
