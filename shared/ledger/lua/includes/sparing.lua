-- sparing: a worker on probation is tried with jobs that nothing is known against.

-- After so long nobody else came, and a suspect job (includes/blaming) is better than none.
local SPARED_MS = 30000

local function spared(job, at)
  local is_tried = at.tried_since and now < at.tried_since + SPARED_MS
  return is_tried and job.suspect_at ~= "0" and "suspect_job" or nil
end
