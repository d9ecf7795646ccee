-- note-short-job: the agent of a job joined its room and was gone at once, while a caller stayed (services/api, rooms/short-jobs).
-- Counts only for a job that ended well with this very participant: a failure, or an end from outside, is told otherwise.
-- Where the split that placed the job says so (`short_jobs`), the job is bad for it: it was good while it ran.
-- Repeated: `repeated`, nothing changes. Dying before it: the next look at the room calls it again, if there is one.
-- @key job job:<job>
-- @include splitting
-- @arg job string Job id.
-- @arg sid string Sid of the participant that the agent was.
-- @reply counted pool:string
-- @reply repeated
-- @reply living
-- @reply ignored reason:string

local record = read_job(job)
if not record then return { "ignored", "unknown_job" } end
if record.participant_sid ~= sid then return { "ignored", "another_sid" } end
if record.state ~= "ended" then return { "living" } end
if record.outcome ~= "success" then return { "ignored", record.outcome } end
if record.short == "1" then return { "repeated" } end
redis.call("HSET", job_key, "short", 1)
local split = record.split ~= "" and read_split(agent_in(record.pool))
if split and split.short_jobs == "bad" then note_outcome(job, record, false, "short") end
return { "counted", record.pool }
