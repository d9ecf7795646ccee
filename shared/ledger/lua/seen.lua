-- seen: the job is known to run: STARTING becomes RUNNING, and its start deadline is over.
-- Dying before it: the next report says it; dying after it: the job has no timer, for its holder's lease stands for it.
-- @key job job:<job>
-- @key deadlines deadlines
-- @include splitting
-- @arg job string Job id.
-- @arg session string Its holder.
-- @arg epoch int The holder's epoch.
-- @reply running
-- @reply stale state:string

local state, holder, held_epoch, split_state = unpack(redis.call("HMGET", job_key, "state", "session", "epoch",
  "split_state"))
if not state then return { "stale", "unknown" } end
if holder ~= session or tonumber(held_epoch or 0) ~= epoch then return { "stale", state } end
if state == "running" then return { "running" } end
if state ~= "starting" then return { "stale", state } end
redis.call("HSET", job_key, "state", "running", "running_at", now, "updated_at", now)
redis.call("ZREM", deadlines_key, "job|" .. job)
if split_state then note_outcome(job, read_job(job), true) end
return { "running" }
