-- jobs: reading a job. Its hash holds only what differs from the defaults below: writing and reading it costs by the field.
-- @include records
-- @family job job:

-- Absent texts are empty, and so is an epoch that something happened under; all else that is absent is "0".
local TEXTS = { session = "", gateway = "", order = "", outcome = "", cause = "", error = "", room_sid = "",
  room_info = "", participant_info = "", only = "", excluded = "", agent_identity = "", failed_wire = "",
  participant_sid = "", left_how = "", refused_epoch = "", resumed_epoch = "", withdrawn_epoch = "",
  restart_policy = "", considered = "", late_by = "", loosens = "", split = "", split_state = "", split_stable = "",
  split_candidate = "", reported = "", doubts = "", holder_peers = "" }
local ABSENT = { __index = function(_, field) return TEXTS[field] or "0" end }

-- The job with its defaults, and what Redis gave of it; nil when there is none.
local function read_job(id)
  local job, flat = read_hash(job_of(id))
  return job and setmetatable(job, ABSENT), flat
end
