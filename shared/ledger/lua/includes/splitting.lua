-- splitting: a split of an agent's jobs between two of its deployments, as somebody set it: what came of those that it placed,
-- and its end when too many of the candidate's went badly. Each such job counts once, where it stands (includes/siding):
-- `split` names the split that placed it, `split_state` is `placed`; `refused`, a worker of the candidate said no, or nothing in
-- its time, and others may be asked; `ran`, counted as good so far; `spent`, counted as bad, or sent home without blame: it counts no more.
-- @include waiting
-- @key splits splits
-- @family split split:
-- @family split-good split-good:
-- @family split-bad split-bad:

-- What the candidate is judged by: so many of its newest outcomes, none older than that.
local MOST_COUNTED, COUNTED_MS = 100, 600000

local known_splits = {}

-- shapes.StoredSplit; nil when the agent, escaped as in the names of pools, has none.
local function read_split(agent)
  if known_splits[agent] == nil then
    local text = redis.call("HGET", splits_key, agent)
    known_splits[agent] = text and cjson.decode(text) or false
  end
  return known_splits[agent] or nil
end

local function agent_in(pool)
  return string.match(pool, "^[^/]*/([^/]*)") or ""
end

local function split_id(split)
  return string.format("%.0f", split.id)
end

local function percent_now(split)
  local percent = 0
  for _, step in ipairs(split.steps) do
    if now >= split.started_at + step.after_ms then percent = step.percent end
  end
  return percent
end

local function forget_old_outcomes(agent)
  for _, key in ipairs({ split_good_of(agent), split_bad_of(agent) }) do
    redis.call("ZREMRANGEBYSCORE", key, "-inf", now - COUNTED_MS)
  end
end

-- How many of the candidate's newest outcomes were good, and bad.
local function count_outcomes(agent)
  return redis.call("ZCARD", split_good_of(agent)), redis.call("ZCARD", split_bad_of(agent))
end

local function forget_oldest_outcome(agent)
  local good = redis.call("ZRANGE", split_good_of(agent), 0, 0, "WITHSCORES")[2]
  local bad = redis.call("ZRANGE", split_bad_of(agent), 0, 0, "WITHSCORES")[2]
  local is_good_older = good and (not bad or tonumber(good) <= tonumber(bad))
  redis.call("ZPOPMIN", is_good_older and split_good_of(agent) or split_bad_of(agent))
end

-- The timer has the namespace's host say so. What waits at the candidate goes home when it is looked at next.
local function roll_back(agent, split, bads, counted)
  split.rolled_back_at, split.bad_jobs, split.counted_jobs = now, bads, counted
  split.why = redis.call("HGET", split_of(agent), "last_bad") or ""
  redis.call("HSET", splits_key, agent, cjson.encode(split))
  set_timer("split|" .. agent, now)
end

local function judge_candidate(agent, split, id, is_good, why)
  redis.call("ZADD", is_good and split_good_of(agent) or split_bad_of(agent), now, id)
  if not is_good then
    redis.call("ZREM", split_good_of(agent), id)
    redis.call("HSET", split_of(agent), "last_bad", why)
  end
  forget_old_outcomes(agent)
  local goods, bads = count_outcomes(agent)
  if goods + bads > MOST_COUNTED then
    forget_oldest_outcome(agent)
    goods, bads = count_outcomes(agent)
  end
  local counted = goods + bads
  if split.rolled_back_at or counted < split.rollback.min_jobs then return end
  -- Also with a good one: it can be the one that makes them enough to judge by.
  if bads * 100 > split.rollback.max_bad_percent * counted then roll_back(agent, split, bads, counted) end
end

-- What came of a job that a split placed, in the script that makes it a fact; `why` when it is bad. Later outcomes of a
-- job that was counted as good may still be bad, once.
local function note_outcome(id, job, is_good, why)
  local was = job.split_state
  if was == "" or was == "spent" or (is_good and was == "ran") then return end
  job.split_state = is_good and "ran" or "spent"
  redis.call("HSET", job_of(id), "split_state", job.split_state)
  -- Somebody of a fallback step may have come back with it.
  local sides = { [job.split_stable] = "stable", [job.split_candidate] = "candidate" }
  local agent, side = agent_in(job.pool), sides[job.pool]
  local split = side and read_split(agent)
  if not split or split_id(split) ~= job.split then return end
  redis.call("HINCRBY", split_of(agent), side .. (is_good and "_good" or "_bad"), 1)
  if was == "ran" then redis.call("HINCRBY", split_of(agent), side .. "_good", -1) end
  if side == "candidate" then judge_candidate(agent, split, id, is_good, why) end
end

-- The same of a job that ends, as it was before. How one ends that no worker had says nothing of them; nor does a room that was
-- left while its worker was gone.
local function note_end(id, job, outcome, cause)
  local has_worker = job.state == "starting" or job.state == "running"
  if outcome == "success" and has_worker then note_outcome(id, job, true) end
  local is_lost = cause == "worker_lost"
  if outcome == "failed" and (has_worker or job.state == "orphaned") and not is_lost then
    note_outcome(id, job, false, cause == "reported" and "failed" or cause)
  end
end

-- An offer came to nothing: silence is bad at once; a no, or no answer in time, only when that is so of everybody who could be
-- asked (includes/dividing).
local function note_refusal(id, job, reason)
  if reason == "silent" then note_outcome(id, job, false, reason) end
  local may_be_asked = reason == "rejected" or reason == "slow"
  if may_be_asked and job.split_state == "placed" and job.pool == job.split_candidate then
    redis.call("HSET", job_of(id), "split_state", "refused")
  end
end
