-- put-drain: a drain is asked for: from now on it holds each session that it covers and that registers or says its load.
-- Those that say nothing for the moment follow with apply-drains. A drain of one worker needs its session to be there.
-- Repeating it changes nothing: the drain that stands is answered.
-- Dying after it: the drain is the fact; each session follows it with its next load sample, or with a repeat.
-- @include draining
-- @arg drain string Id, derived from what it covers.
-- @arg kind string worker | gateway | deployment | client_ip
-- @arg value string Session id, node id, deployment or address.
-- @arg agent string Agent name of a deployment; else empty.
-- @arg reason string For people.
-- @arg max-count int Drains of a namespace, at most.
-- @reply stored text:string created:int
-- @reply full count:int
-- @reply unknown

local present = redis.call("HGET", drains_key, drain)
if present then return { "stored", present, 0 } end
if kind == "worker" and redis.call("EXISTS", session_of(value)) == 0 then return { "unknown" } end
local count = redis.call("HLEN", drains_key)
if count >= max_count then return { "full", count } end
local text = cjson.encode({ id = drain, kind = kind, value = value, agent = agent, reason = reason, created_at = now })
redis.call("HSET", drains_key, drain, text)
redis.call("INCR", drains_revision_key)
return { "stored", text, 1 }
