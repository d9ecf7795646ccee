-- leaving: a job for a room waits for its callers too. Once all of them left, its `alone_until` says until when it still waits;
-- one who comes back takes that away. From then on it is offered to nobody, and ends.
-- @include ending

-- To be called for a job that waits, or is offered. True when its end made room on a session.
local function end_left_job(id, job)
  local got_room = end_job(id, job, "canceled", "caller_left", "the last caller left the room", false)
  if job.order ~= "" and redis.call("HGET", order_of(job.order), "cause") == "jobs_ended" then
    redis.call("HSET", order_of(job.order), "cause", "caller_left")
  end
  return got_room
end
