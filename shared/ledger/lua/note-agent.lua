-- note-agent: what LiveKit says of the participant that a job's agent is. It joined: the job is seen to run. It left:
-- after `rejoin-ms` without it the job's timer decides (expire-job, settle-orphan); only the sid that was seen to join
-- for this job counts, since whoever joins again under the same identity has another.
-- Repeated, or told late: what is known stands. Dying after it: the timer stands for what follows.
-- @key job job:<job>
-- @include holding
-- @include joining
-- @arg job string Job id.
-- @arg identity string Identity of the participant.
-- @arg sid string Its sid.
-- @arg joined-at int When it joined, Unix ms by LiveKit's clock; 0 when not said.
-- @arg has-left bool It is gone.
-- @arg how string Of one that has left: clean | failed | unknown.
-- @arg rejoin-ms int How long it may take to come back under another sid.
-- @reply running
-- @reply left due:int
-- @reply ignored reason:string

local record = read_job(job)
if not record then return { "ignored", "unknown_job" } end
local is_started = record.state == "starting" or record.state == "running" or record.state == "orphaned"
if not is_started then return { "ignored", record.state } end
if record.agent_identity ~= identity then return { "ignored", "another_identity" } end

if not has_left then
  if record.participant_sid ~= "" and record.participant_sid ~= sid then
    if joined_at <= tonumber(record.participant_joined_at) then return { "ignored", "another_joined_later" } end
  end
  if record.participant_sid == "" then
    local came_at = joined_at > 0 and math.min(joined_at, now) or now
    learn_join(record.pool, came_at - tonumber(record.started_at))
  end
  if record.participant_sid ~= sid then
    redis.call("HSET", job_key, "participant_sid", sid, "participant_joined_at", string.format("%.0f", joined_at))
    -- One that its worker reported as done, and that was doubted, is believed when its timer is due.
    if record.reported == "" then
      redis.call("HDEL", job_key, "left_at", "left_how")
      if record.state == "running" then redis.call("ZREM", deadlines_key, "job|" .. job) end
    end
  end
  -- Of an orphan this is no news of its worker: whoever lost the socket may be running it, and presence will say so.
  if record.state == "starting" then runs_again(job, record) end
  return { "running" }
end

if record.participant_sid ~= sid then return { "ignored", "another_sid" } end
if record.left_at ~= "0" then return { "left", redis.call("ZSCORE", deadlines_key, "job|" .. job) or 0 } end
redis.call("HSET", job_key, "left_at", now, "left_how", how)
local due = now + rejoin_ms
-- A job that was not seen to start has its start deadline; an orphan is asked about again when that is sooner.
local current = tonumber(redis.call("ZSCORE", deadlines_key, "job|" .. job))
if record.state ~= "starting" and (not current or due < current) then set_timer("job|" .. job, due) end
return { "left", due }
