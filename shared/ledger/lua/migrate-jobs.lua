-- migrate-jobs: a worker is back on a new session and names the jobs that it still runs (MigrateJobRequest).
-- Whoever names the newest wire id of a live job of its own pool runs it, whatever the ledger thought: the session
-- becomes its holder, epoch + 1. A session of the same worker (includes/same-worker) that held it until now is half-open and
-- lost: its gateway must close it. Held by another worker: it stays there, and may be asked for again (`held`), for a worker
-- that comes back from another address is known once its old socket is gone.
-- Ended, over or failed as the worker said, or an older wire id: to be stopped; it keeps a place here until that is done.
-- So does a worker whose agent was asked before a fallback step, as long as nobody else was asked.
-- Unknown, or of another agent, type, deployment or API key: refused, without a word about it. Repeated: the same answer, and no
-- second epoch.
-- Dying after it: the jobs run where they run; a gateway that never learnt the epochs answers from its worker's next
-- request, or is told with its assertion; half-open sessions are gone from the ledger and told so by their next sample;
-- stops are told with the next renewal of the lease; orphans and requeued jobs have their timers.
-- @key session session:<session>
-- @include losing
-- @include holding
-- @include stopping
-- @include serving
-- @include same-worker
-- @arg session string The session that asked.
-- @arg claims json:shapes.MigrateClaim[] What it names, at most 256.
-- @arg grace-ms int How long an orphan of a half-open session waits for its worker.
-- @arg guard-ms int After this time a requeued job is tried if nobody did.
-- @arg stop-ms int How long the place of a job that is to be stopped stays taken when nobody confirms.
-- @reply migrated moved:json:shapes.MovedJob[] stops:strings refused:strings held:strings closed:json:shapes.ClosedSession[] orphaned:strings requeued:strings serve:strings
-- @reply unknown_session

local gateway, pool = unpack(redis.call("HMGET", session_key, "gateway", "pool"))
if not pool then return { "unknown_session" } end
local moved, stops, refused, held, closed, is_moved = {}, {}, {}, {}, {}, {}
local fates = no_fates()

-- Which offer of the job the wire id is of; nil when of none.
local function offer_number(claim)
  if claim.wire == claim.job then return 1 end
  if string.sub(claim.wire, 1, #claim.job + 1) ~= claim.job .. "." then return nil end
  return tonumber(string.match(string.sub(claim.wire, #claim.job + 2), "^[1-9]%d?%d?%d?%d?%d?$"))
end

-- A session that was told to stop it is told again, whatever has become of the job since.
local function is_over(claim, job, number)
  if job.state == "ended" or number < tonumber(job.offers) or job.failed_wire == claim.wire then return true end
  -- Reported is what this wire id came to. One that is newer than all that Redis kept is another attempt.
  if job.reported ~= "" and number == tonumber(job.offers) then return true end
  return redis.call("HEXISTS", stops_key, stop_field(session, claim.wire)) == 1
end

local function is_held(job)
  return (job.state == "starting" or job.state == "running") and job.reported == ""
end

-- The epoch under which the session now holds the job.
local function move(claim, job)
  if is_held(job) and job.session == session and job.wire == claim.wire then
    runs_again(claim.job, job)
    return tonumber(job.epoch)
  end
  if is_held(job) and job.session ~= session then
    local holder = redis.call("HGET", session_of(job.session), "gateway")
    closed[#closed + 1] = { session = job.session, gateway = holder }
    lose_session(job.session, holder, grace_ms, guard_ms, false, fates)
    forget_arrival(session) -- it was the return of that one
    job = read_job(claim.job)
  end
  local epoch = tonumber(job.epoch) + 1
  take_over(claim.job, job, session, gateway, epoch, claim.wire)
  return epoch
end

for _, claim in ipairs(claims) do
  local job = read_job(claim.job)
  local number = offer_number(claim)
  local is_strange = job and job.state == "orphaned" and not has_key_of_orphan(session, job)
  if not job or not number or is_strange or not may_have(job, pool) then
    refused[#refused + 1] = claim.wire
  elseif is_over(claim, job, number) then
    stop_brought(claim.job, session, gateway, claim.wire, now + stop_ms)
    stops[#stops + 1] = claim.wire
  elseif is_held(job) and job.session ~= session and not is_same_worker(session, job.session) then
    held[#held + 1] = claim.wire
  else
    moved[#moved + 1] = { job = claim.job, wire = claim.wire, epoch = move(claim, job) }
    is_moved[claim.job] = true
  end
end

local left, serve = {}, {}
for _, id in ipairs(fates.orphaned) do if not is_moved[id] then left[#left + 1] = id end end
redis.call("HDEL", session_key, "entering_until")
if #moved > 0 then redis.call("HSET", session_key, "reports", 1) end
also_serve(serve, pool, (place(session)))
return { "migrated", encode_list(moved), stops, refused, held, encode_list(closed), left, fates.requeued, serve }
