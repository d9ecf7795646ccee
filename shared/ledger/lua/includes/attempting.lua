-- attempting: what became of each attempt to place a job, for explain. The one that goes on is in the job's own hash, where
-- it costs no command: `considered` by its claim, beside holder and times, which are there anyway; `parked_at` since it found
-- nobody; `returned_at` since a worker came with the job by itself. One that is over, while the job goes on, is an entry of
-- `attempts:<job>`, which no script decides by: the first 5 and the newest 14, and between
-- them how many were left out.
-- @family job job:
-- @family attempts attempts:

local FIRST_KEPT, MOST_KEPT, MOST_CONSIDERED = 5, 19, 8

local function seen_text(seen)
  return string.format("%s,%.4g,%s", seen.verdict, seen.load, seen.session)
end

-- `<verdict>,<load>,<session>`, joined by `;`, in the order in which they were looked at, the chosen one last. Of more than 8
-- the first 7 and the last; in between `+<n>`, how many were left out.
local function considered_text(considered)
  local count = #considered
  if count == 1 then return seen_text(considered[1]) end
  local texts = {}
  for index = 1, math.min(count, MOST_CONSIDERED - 1) do texts[index] = seen_text(considered[index]) end
  if count > MOST_CONSIDERED then texts[MOST_CONSIDERED] = "+" .. (count - MOST_CONSIDERED) end
  if count >= MOST_CONSIDERED then texts[#texts + 1] = seen_text(considered[count]) end
  return table.concat(texts, ";")
end

local function keep_attempt(id, entry)
  local key = attempts_of(id)
  if redis.call("RPUSH", key, entry) <= MOST_KEPT then return end
  -- Whatever stands in the middle is left out: an entry, or the oldest one behind the count of those that were before it.
  local left_out = redis.call("LINDEX", key, FIRST_KEPT)
  if tonumber(left_out) then
    redis.call("LSET", key, FIRST_KEPT + 1, left_out + 1)
    redis.call("LREM", key, 1, left_out)
  else
    redis.call("LSET", key, FIRST_KEPT, 1)
  end
end

-- To be called with the job as it was, whenever its attempt is over and the job is not. Without one, nothing happens.
local function close_attempt(id, job, outcome)
  local is_parked = (job.parked_at or "0") ~= "0"
  if not is_parked and (job.session or "") == "" then return end
  local entry = { outcome = outcome, ended_at = now, step = tonumber(job.fallback_step) }
  if job.considered ~= "" then entry.considered = job.considered end
  if is_parked then
    entry.parked_at = tonumber(job.parked_at)
  else
    entry.session, entry.epoch = job.session, tonumber(job.epoch)
    if job.returned_at ~= "0" then
      entry.returned_at = tonumber(job.returned_at)
    else
      entry.offered_at = tonumber(job.offered_at)
      if job.state ~= "offered" then
        entry.started_at = tonumber(job.started_at)
        if job.running_at ~= "0" then entry.running_at = tonumber(job.running_at) end
      end
    end
    if job.state == "orphaned" then entry.orphaned_at = tonumber(job.orphaned_at) end
  end
  keep_attempt(id, cjson.encode(entry))
  redis.call("HDEL", job_of(id), "considered", "parked_at", "returned_at")
end

-- An offer was taken back before all was known of it: now it is. Without such an entry, which may be left out or gone with its job,
-- nothing happens.
local function amend_attempt(id, session_id, epoch, was, outcome)
  local key = attempts_of(id)
  local entries = redis.call("LRANGE", key, 0, -1)
  for index = #entries, 1, -1 do
    local entry = cjson.decode(entries[index])
    if type(entry) == "table" and entry.session == session_id and entry.epoch == epoch and entry.outcome == was then
      entry.outcome = outcome
      return redis.call("LSET", key, index - 1, cjson.encode(entry))
    end
  end
end

-- Nobody was found. Tried again while it is parked for that, the job is where it was.
local function note_nobody(id, job, considered)
  local was_parked = job.parked_at ~= "0"
  if was_parked and job.state == "parked" then return end
  close_attempt(id, job, "parked")
  local fields = { "parked_at", string.format("%.0f", now) }
  if #considered > 0 then fields[3], fields[4] = "considered", considered_text(considered) end
  redis.call("HSET", job_of(id), unpack(fields))
end

-- A worker has the job without having been asked just now: it came back with it, or Redis forgot that it was asked.
local function note_return(id, job, session_id)
  if job.session == session_id then return end
  close_attempt(id, job, job.session == "" and "parked" or "migrated")
  redis.call("HSET", job_of(id), "returned_at", string.format("%.0f", now))
end
