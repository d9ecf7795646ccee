-- dividing: whom a job is offered where a split divides the jobs of its agent (includes/siding). The order stays as it is and the
-- job's pool changes, as with a fallback step, so that offer, token and events name the deployment that is really asked.
-- @include claiming
-- @include siding

-- Who refused the job elsewhere says nothing here. One that was parked is in no line then: it is offered or parked anew.
local function go_to_side(id, job, flat, pool)
  if job.pool == pool then return false end
  forget_refusals(id, job)
  if job.state == "parked" then
    redis.call("ZREM", parked_of(job.pool), id)
    job.state = "queued"
  end
  job.pool = pool
  update(job_of(id), flat, { "pool", pool })
  return true
end

local function note_side(id, job, sides, has_moved)
  if sides.is_new then
    job.split, job.split_state = sides.id, "placed"
    redis.call("HSET", job_of(id), "split", sides.id, "split_state", "placed", "split_stable", sides.stable,
      "split_candidate", sides.candidate)
  elseif has_moved and job.pool == sides.stable then
    redis.call("HSET", job_of(id), "split_state", "spent")
  end
  if sides.is_new or (sides.is_open and has_moved and job.pool == sides.candidate) then
    local side = job.pool == sides.candidate and "candidate" or "stable"
    redis.call("HINCRBY", split_of(sides.agent), side .. "_jobs", 1)
  end
end

-- As `pick`, at the side where the job belongs now. Fourth value: it has moved, and stands in no line.
local function pick_side(id, job, flat, scan, prefers)
  local sides = read_sides(job)
  if not sides then return pick(job, scan, prefers) end
  local from = job.pool
  local was_parked = job.state == "parked"
  go_to_side(id, job, flat, better_side(job, sides))
  local may_go_on = waits_elsewhere(job, sides)
  local chosen, gateway, considered = nil, nil, {}
  if not may_go_on or parked_count(job.pool) == 0 then
    chosen, gateway, considered = pick(job, scan, prefers)
  end
  if not chosen and job.pool == sides.candidate and job.split_state == "refused" then
    note_outcome(id, job, false, job.late_by ~= "" and "slow" or "rejected")
  end
  if not chosen and may_go_on then
    go_to_side(id, job, flat, sides.stable)
    local also
    chosen, gateway, also = pick(job, scan, prefers)
    for _, seen in ipairs(also) do considered[#considered + 1] = seen end
  end
  note_side(id, job, sides, job.pool ~= from)
  return chosen, gateway, considered, was_parked and job.state ~= "parked"
end
