-- same-worker: whether two sockets are of one worker, as far as can be told: one API key, from one address. A wire id is no
-- secret, so that to name it says nothing of who does. Of one that is gone nobody else can be meant.
-- @family session session:

local function is_same_worker(id, other)
  local issuer, address = unpack(redis.call("HMGET", session_of(id), "api_key", "client_ip"))
  local other_issuer, other_address = unpack(redis.call("HMGET", session_of(other), "api_key", "client_ip"))
  return not other_issuer or issuer == other_issuer and address == other_address
end

-- Of the holder of an orphan only its pool and API key are left (includes/guarding).
local function has_key_of_orphan(id, job)
  if job.holder_peers == "" then return true end
  return string.match(job.holder_peers, "|(.*)$") == (redis.call("HGET", session_of(id), "api_key") or "")
end
