// Generated from lua/*.lua by `npm run generate`. Never edit; the scripts are the source.

import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript, type Script } from "@muster/runtime/redis/script";
import { namespaceTag, projectTag } from "../keys.js";
import { parseReply, type ReplyShape } from "../reply.js";
import type * as shapes from "../shapes.js";

/**
 * accept: the worker took the offer. Commits only for OFFERED, the same epoch, the same session, and that one live;
 * then, and never otherwise, the gateway sends the assignment. Repeated: the same answer.
 */
export interface AcceptArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** The session whose socket carried the offer. */
  session: string;
  /** Epoch of the offer. */
  epoch: number;
  /** Identity of the participant that the agent will be; the first one stays. */
  agentIdentity: string;
  /** Time in which the job must be seen to run. */
  startMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type AcceptReply =
  | { status: "started"; startedAt: number; agentIdentity: string }
  | { status: "stale"; state: string };

const acceptScript: Script = {
  name: "accept",
  sha: "6da739aa702db82c83c90944695faf047afd632a",
  keyCount: 4,
  source: "local job_key = KEYS[1]\nlocal session_key = KEYS[2]\nlocal session_jobs_key = KEYS[3]\nlocal deadlines_key = KEYS[4]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal job = ARGV[1]\nlocal session = ARGV[2]\nlocal epoch = tonumber(ARGV[3])\nlocal agent_identity = ARGV[4]\nlocal start_ms = tonumber(ARGV[5])\nlocal now = tonumber(ARGV[6])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nlocal state, holder, held_epoch, started_at, identity, attempts = unpack(redis.call(\"HMGET\", job_key,\n  \"state\", \"session\", \"epoch\", \"started_at\", \"agent_identity\", \"attempts\"))\nif not state then return { \"stale\", \"unknown\" } end\nif holder ~= session or tonumber(held_epoch) ~= epoch then return { \"stale\", state } end\nif state == \"starting\" or state == \"running\" then\n  if identity == \"\" then\n    -- Recovered from an assertion, which does not know the identity.\n    identity = agent_identity\n    redis.call(\"HSET\", job_key, \"agent_identity\", identity)\n  end\n  return { \"started\", started_at, identity }\nend\nlocal silences = redis.call(\"HGET\", session_key, \"silences\")\nif state ~= \"offered\" or not silences then return { \"stale\", state } end\n\nif identity == \"\" then identity = agent_identity end\nredis.call(\"HSET\", job_key, \"state\", \"starting\", \"started_at\", now, \"updated_at\", now, \"agent_identity\", identity,\n  \"attempts\", tonumber(attempts) + 1)\nif silences ~= \"0\" then redis.call(\"HSET\", session_key, \"silences\", 0) end\nredis.call(\"ZADD\", session_jobs_key, now, job .. \"#\" .. epoch)\nredis.call(\"ZADD\", deadlines_key, now + start_ms, \"job|\" .. job)\nreturn { \"started\", now, identity }\n",
};

const acceptShape = {
  started: [["startedAt", "int"], ["agentIdentity", "string"]],
  stale: [["state", "string"]],
} as const satisfies ReplyShape;

async function accept(redis: RedisClient, args: AcceptArgs): Promise<AcceptReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}session:${args.session}`, `${tag}session-jobs:${args.session}`, `${tag}deadlines`];
  const values = [args.job, args.session, args.epoch, args.agentIdentity, args.startMs, args.nowMs ?? ""];
  return parseReply<AcceptReply>("accept", await runScript(redis, acceptScript, keys, values), acceptShape);
}

/**
 * admit: tries to place one job: offers it to the best session of its pool, or parks it.
 * Acts on queued and parked jobs of live orders only, so that any number of repeats, late or doubled, does no harm.
 * Dying after it: the timer of the job (offer, back-off, end of waiting) has been set by the same script.
 */
export interface AdmitArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** Deadline of the offer from now, in Redis; longer than the gateway's own. */
  offerMs: number;
  /** First back-off when sessions refused; doubled with each round, 30 s at most. */
  retryMs: number;
  /** Sessions, and jobs ahead in line, looked at in one claim, at most. */
  scan: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type AdmitReply =
  | { status: "offered"; deadline: number; job: Record<string, string>; order: Record<string, string>; considered: shapes.Considered[] }
  | { status: "parked"; pool: string; behind: number; considered: shapes.Considered[] }
  | { status: "idle"; state: string }
  | { status: "ended"; outcome: string };

const admitScript: Script = {
  name: "admit",
  sha: "4f5b7a23a3a6fe8715d8dd2edb4e7021d9feafdc",
  keyCount: 7,
  source: "local job_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal gateways_key = KEYS[3]\nlocal jobs_key = KEYS[4]\nlocal ended_jobs_key = KEYS[5]\nlocal orders_key = KEYS[6]\nlocal ended_orders_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal job = ARGV[1]\nlocal offer_ms = tonumber(ARGV[2])\nlocal retry_ms = tonumber(ARGV[3])\nlocal scan = tonumber(ARGV[4])\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- A job that so many have refused waits out its back-off before it asks anybody else.\nlocal MOST_EXCLUDED = 256\n\nlocal function split_set(text)\n  local set, count = {}, 0\n  for id in string.gmatch(text, \"[^,]+\") do set[id] = true count = count + 1 end\n  return set, count\nend\n\n-- Sessions with room and their loads, least loaded first, by rank. A simulated job knows its only session.\nlocal function ranked_sessions(job, first, last)\n  if job.only == \"\" then return redis.call(\"ZRANGE\", pool_of(job.pool), first, last, \"WITHSCORES\") end\n  local load = first == 0 and redis.call(\"ZSCORE\", pool_of(job.pool), job.only)\n  return load and { job.only, load } or {}\nend\n\n-- The least loaded session of the pool that is not excluded and whose gateway is alive, and its gateway; looks at\n-- `scan` of them at most beyond the excluded ones. Third value: who was looked at and why not taken, for explain.\n-- Mostly the first one will do, so the others are read only when it does not.\nlocal function pick(job, scan)\n  local excluded, count = split_set(job.excluded)\n  local considered = {}\n  if count >= MOST_EXCLUDED then return nil, nil, considered end\n  for _, ranks in ipairs({ { 0, count }, { count + 1, count + scan - 1 } }) do\n    local ranked = ranked_sessions(job, ranks[1], ranks[2])\n    for index = 1, #ranked, 2 do\n      local id, load = ranked[index], ranked[index + 1]\n      local verdict, gateway = \"chosen\", nil\n      if excluded[id] then\n        verdict = \"excluded\"\n      else\n        gateway = redis.call(\"HGET\", session_of(id), \"gateway\")\n        local lease = gateway and redis.call(\"ZSCORE\", gateways_key, gateway)\n        if not lease or tonumber(lease) <= now then verdict = \"gateway_gone\" end\n      end\n      considered[#considered + 1] = { session = id, load = tonumber(load), verdict = verdict }\n      if verdict == \"chosen\" then return id, gateway, considered end\n    end\n  end\n  return nil, nil, considered\nend\n\n-- True for a job that may still be placed: waiting, and of a live order.\nlocal function is_waiting(job)\n  if job.state ~= \"queued\" and job.state ~= \"parked\" then return false end\n  return job.order == \"\" or redis.call(\"HGET\", order_of(job.order), \"state\") == \"live\"\nend\n\n-- Writes fields of a hash, and the same into what was read of it, so that the reply needs no second look.\nlocal function update(key, flat, changes)\n  local fields = {}\n  for index = 1, #flat, 2 do\n    local value = changes[flat[index]]\n    if value then\n      flat[index + 1] = value\n      fields[#fields + 1] = flat[index]\n      fields[#fields + 1] = value\n    end\n  end\n  redis.call(\"HSET\", key, unpack(fields))\nend\n\n-- Reserves a place on the session, makes the job OFFERED there, and answers with all that the gateway needs to ask its\n-- worker. The epoch fences every later answer; the wire id keeps a late answer to an earlier offer apart, since SDKs\n-- key everything by job id. An open reservation scores +inf: no load sample can have counted it.\nlocal function offer(job_id, job, flat, session_id, gateway, deadline, considered)\n  local epoch = string.format(\"%d\", job.epoch + 1)\n  local offers = string.format(\"%d\", job.offers + 1)\n  local wire = offers == \"1\" and job_id or (job_id .. \".\" .. offers)\n  local at = string.format(\"%.0f\", now)\n  update(job_of(job_id), flat, { state = \"offered\", epoch = epoch, offers = offers, wire = wire, session = session_id,\n    gateway = gateway, offered_at = at, updated_at = at })\n  if job.state == \"parked\" then redis.call(\"ZREM\", parked_of(job.pool), job_id) end\n  redis.call(\"ZADD\", session_jobs_of(session_id), \"+inf\", reservation(job_id, epoch))\n  set_timer(\"job|\" .. job_id, deadline)\n  place(session_id)\n  local order = job.order == \"\" and {} or redis.call(\"HGETALL\", order_of(job.order))\n  return { \"offered\", deadline, flat, order, cjson.encode(considered) }\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal record, flat = read_hash(job_key)\nif not record then return { \"idle\", \"unknown\" } end\nif not is_waiting(record) then return { \"idle\", record.state } end\nif now >= tonumber(record.wait_until) then\n  end_job(job, record, \"expired\", \"waited_too_long\", \"no worker took the job in time\", false)\n  return { \"ended\", \"expired\" }\nend\n\n-- Order of service: whether somebody of a better rank waits who could take this session as well.\nlocal function is_behind(chosen)\n  local ahead = redis.call(\"ZRANGE\", parked_of(record.pool), 0, scan - 1, \"WITHSCORES\")\n  for index = 1, #ahead, 2 do\n    if ahead[index] == job or tonumber(ahead[index + 1]) >= rank(record) then return false end\n    local only, excluded = unpack(redis.call(\"HMGET\", job_of(ahead[index]), \"only\", \"excluded\"))\n    local takes = only == \"\" or only == chosen\n    if takes and not string.find(\",\" .. excluded .. \",\", \",\" .. chosen .. \",\", 1, true) then return true end\n  end\n  return false\nend\n\nlocal chosen, gateway, considered = pick(record, scan)\nif chosen then\n  if not is_behind(chosen) then return offer(job, record, flat, chosen, gateway, now + offer_ms, considered) end\n  -- Stand in line; the actor serves the pool.\n  park(job, record, nil)\n  return { \"parked\", record.pool, 1, \"[]\" }\nend\n\n-- Those who refused are asked again after a while, whether they have room now or not: freed room wakes only jobs that\n-- may use it. A back-off that runs already is not begun anew.\nlocal due = tonumber(redis.call(\"ZSCORE\", deadlines_key, \"job|\" .. job) or 0)\nlocal backs_off = record.state == \"parked\" and due < tonumber(record.wait_until)\nif not backs_off then\n  local retry_at = nil\n  if record.excluded ~= \"\" then\n    retry_at = now + math.min(30000, retry_ms * 2 ^ math.min(10, tonumber(record.rounds)))\n    redis.call(\"HINCRBY\", job_key, \"rounds\", 1)\n  end\n  park(job, record, retry_at)\nend\nreturn { \"parked\", record.pool, 0, encode_list(considered) }\n",
};

const admitShape = {
  offered: [["deadline", "int"], ["job", "hash"], ["order", "hash"], ["considered", "json"]],
  parked: [["pool", "string"], ["behind", "int"], ["considered", "json"]],
  idle: [["state", "string"]],
  ended: [["outcome", "string"]],
} as const satisfies ReplyShape;

async function admit(redis: RedisClient, args: AdmitArgs): Promise<AdmitReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}deadlines`, `${tag}gateways`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`];
  const values = [args.job, args.offerMs, args.retryMs, args.scan, args.nowMs ?? ""];
  return parseReply<AdmitReply>("admit", await runScript(redis, admitScript, keys, values), admitShape);
}

/**
 * assert-gateway: a gateway renews its lease in a namespace and says what its sockets hold, as (job, epoch, session).
 * What the ledger agrees with stands, and an orphan of such a session runs again; what is over, older or held elsewhere
 * is to be stopped. A newer epoch, or one that the ledger still has as an offer, stands too: Redis lost its last second.
 * Stops that were not confirmed are told again.
 * `lapsed`: the lease had ended, sessions may have been swept: register them again, then assert.
 */
export interface AssertGatewayArgs {
  namespace: string;
  /** Node id of the gateway. */
  gateway: string;
  /** How long the lease lasts from now. */
  leaseMs: number;
  /** The jobs that were assigned on its sockets, at most 256 a call. */
  held: readonly shapes.HeldJob[];
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type AssertGatewayReply =
  | { status: "renewed"; stops: shapes.Stop[]; unknown: string[] }
  | { status: "lapsed" };

const assertGatewayScript: Script = {
  name: "assert-gateway",
  sha: "2803c10359854ac2d06940a9a77f54014ce8a6ed",
  keyCount: 3,
  source: "local gateways_key = KEYS[1]\nlocal stops_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal gateway = ARGV[1]\nlocal lease_ms = tonumber(ARGV[2])\nlocal held = cjson.decode(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- An orphan whose session is there again runs again, in the place that was kept for it.\nlocal function runs_again(job_id)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"running\", \"updated_at\", now)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\nend\n\n-- Redis came back without its last second, and a live gateway holds the assignment of an epoch that the ledger has not\n-- seen accepted: the worker runs it, so what the ledger remembers instead is taken back.\nlocal function recover(job_id, job, session_id, gateway, epoch, wire)\n  if job.session ~= session_id or tonumber(job.epoch) ~= epoch then release(job_id, job) end\n  local offers = math.max(tonumber(job.offers), tonumber(string.match(wire, \"%.(%d+)$\") or 1))\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"running\", \"epoch\", epoch, \"offers\", offers, \"wire\", wire,\n    \"session\", session_id, \"gateway\", gateway, \"started_at\", now, \"running_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZADD\", session_jobs_of(session_id), now, reservation(job_id, epoch))\n  place(session_id)\nend\n\nlocal lease = redis.call(\"ZSCORE\", gateways_key, gateway)\nif not lease or tonumber(lease) <= now then return { \"lapsed\" } end\nredis.call(\"ZADD\", gateways_key, now + lease_ms, gateway)\nset_timer(\"gateway|\" .. gateway, now + lease_ms)\n\nlocal stops, unknown, told = {}, {}, {}\nlocal function stands(claim, job)\n  if job.state == \"ended\" then return false end\n  local epoch = tonumber(job.epoch)\n  if claim.epoch < epoch or (claim.epoch == epoch and job.session ~= claim.session) then return false end\n  local lives = redis.call(\"HGET\", session_of(claim.session), \"gateway\") == gateway\n  if claim.epoch > epoch or job.state == \"offered\" then\n    if lives then recover(claim.job, job, claim.session, gateway, claim.epoch, claim.wire) end\n  elseif job.state == \"orphaned\" and lives then\n    runs_again(claim.job)\n  end\n  return true\nend\nfor _, claim in ipairs(held) do\n  local job = read_hash(job_of(claim.job))\n  if not job then\n    unknown[#unknown + 1] = claim.job\n  elseif not stands(claim, job) then\n    stops[#stops + 1] = { job = claim.job, session = claim.session, gateway = gateway, wire = claim.wire }\n    told[claim.session .. \"|\" .. claim.wire] = true\n  end\nend\n-- As many as one call may hold; the rest with the next renewals, in no order, so that none is left out for good.\nfor _, field in ipairs(redis.call(\"SRANDMEMBER\", gateway_stops_of(gateway), 256)) do\n  local stop = redis.call(\"HGET\", stops_key, field)\n  if stop and not told[field] then stops[#stops + 1] = cjson.decode(stop) end\nend\nreturn { \"renewed\", encode_list(stops), unknown }\n",
};

const assertGatewayShape = {
  renewed: [["stops", "json"], ["unknown", "strings"]],
  lapsed: [],
} as const satisfies ReplyShape;

async function assertGateway(redis: RedisClient, args: AssertGatewayArgs): Promise<AssertGatewayReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}gateways`, `${tag}stops`, `${tag}deadlines`];
  const values = [args.gateway, args.leaseMs, JSON.stringify(args.held), args.nowMs ?? ""];
  return parseReply<AssertGatewayReply>("assert-gateway", await runScript(redis, assertGatewayScript, keys, values), assertGatewayShape);
}

/**
 * create-order: a work order is accepted, with the jobs known now. The second of three steps: directory, this, queue.
 * Repeating it answers `exists`, with the jobs that still want their queue entry. Dying after it: the guard timer of
 * each job finds it, and the index finds the namespace.
 */
export interface CreateOrderArgs {
  namespace: string;
  /** Order id. */
  order: string;
  /** Room name. */
  room: string;
  /** What the order is; kept as given. */
  facts: shapes.OrderFacts;
  /** The jobs known now; a room order has one. At most 1000. */
  newJobs: readonly shapes.NewJob[];
  /** How long the order and its jobs are kept after they ended. */
  retainMs: number;
  /** After this time a queued job that nobody tried is tried. */
  guardMs: number;
  /** How long a job may wait for a worker. */
  waitMs: number;
  /** The count answered by `unindexed`, once the namespace is in the index; -1 before. */
  rests: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type CreateOrderReply =
  | { status: "created" }
  | { status: "exists"; state: string; queued: string[] }
  | { status: "unindexed"; rests: number };

const createOrderScript: Script = {
  name: "create-order",
  sha: "04622ce00dfc773dcbd0a160f89c488029bdc2ed",
  keyCount: 7,
  source: "local order_key = KEYS[1]\nlocal orders_key = KEYS[2]\nlocal order_jobs_key = KEYS[3]\nlocal room_orders_key = KEYS[4]\nlocal index_key = KEYS[5]\nlocal deadlines_key = KEYS[6]\nlocal jobs_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal order = ARGV[1]\nlocal room = ARGV[2]\nlocal facts = cjson.decode(ARGV[3])\nlocal new_jobs = cjson.decode(ARGV[4])\nlocal retain_ms = tonumber(ARGV[5])\nlocal guard_ms = tonumber(ARGV[6])\nlocal wait_ms = tonumber(ARGV[7])\nlocal rests = tonumber(ARGV[8])\nlocal now = tonumber(ARGV[9])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- True when the caller must first list the namespace as due in the index, and call again with `rests` as answered.\n-- The count of rests fences an index entry that an actor going to rest may have removed in between.\nlocal is_awake = redis.call(\"HGET\", index_key, \"awake\")\nlocal function must_index(rests)\n  return not is_awake and tonumber(rests) ~= tonumber(redis.call(\"HGET\", index_key, \"rests\") or 0)\nend\n\nlocal function rests_so_far()\n  return tonumber(redis.call(\"HGET\", index_key, \"rests\") or 0)\nend\n\nlocal function stay_awake()\n  if not is_awake then redis.call(\"HSET\", index_key, \"awake\", 1) end\nend\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- `job` gives what is particular to it: order, room, type, pool, room_sid, room_info, participant_info, only, priority.\n-- Numbers go as text, as Redis writes one that comes from Lua anew for each field.\nlocal function queue_job(id, job, retain_ms, guard_ms, wait_ms)\n  local at = string.format(\"%.0f\", now)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"epoch\", \"0\", \"order\", job.order, \"pool\", job.pool,\n    \"wire\", id, \"gateway\", \"\", \"id\", id, \"outcome\", \"\", \"cause\", \"\", \"error\", \"\", \"offers\", \"0\", \"attempts\", \"0\",\n    \"rounds\", \"0\", \"refused_epoch\", \"0\", \"type\", job.type, \"room\", job.room, \"room_sid\", job.room_sid,\n    \"room_info\", job.room_info, \"participant_info\", job.participant_info, \"only\", job.only, \"excluded\", \"\",\n    \"agent_identity\", \"\", \"priority\", job.priority, \"created_at\", at, \"updated_at\", at, \"offered_at\", \"0\",\n    \"started_at\", \"0\", \"running_at\", \"0\", \"orphaned_at\", \"0\", \"ended_at\", \"0\",\n    \"wait_until\", now + wait_ms, \"retain_ms\", retain_ms)\n  redis.call(\"ZADD\", jobs_key, at, id)\n  set_timer(\"job|\" .. id, now + guard_ms)\nend\n\nlocal known = redis.call(\"HGET\", order_key, \"state\")\nif known then\n  local queued = {}\n  for _, id in ipairs(redis.call(\"ZRANGEBYSCORE\", order_jobs_key, 0, 0, \"LIMIT\", 0, 1000)) do\n    if redis.call(\"HGET\", job_of(id), \"state\") == \"queued\" then queued[#queued + 1] = id end\n  end\n  return { \"exists\", known, queued }\nend\nif must_index(rests) then return { \"unindexed\", rests_so_far() } end\n\nlocal at = string.format(\"%.0f\", now)\nlocal fields = { \"id\", order, \"room\", room, \"state\", \"live\", \"created_at\", at, \"deleted_at\", \"0\", \"ended_at\", \"0\",\n  \"retain_ms\", retain_ms }\nfor field, value in pairs(facts) do\n  fields[#fields + 1] = field\n  fields[#fields + 1] = value\nend\nredis.call(\"HSET\", order_key, unpack(fields))\nredis.call(\"ZADD\", orders_key, at, order)\nredis.call(\"ZADD\", room_orders_key, at, order)\nfor _, job in ipairs(new_jobs) do\n  job.order, job.room, job.room_info, job.only, job.priority = order, room, \"\", \"\", facts.priority\n  queue_job(job.id, job, retain_ms, guard_ms, wait_ms)\n  redis.call(\"ZADD\", order_jobs_key, 0, job.id)\nend\nstay_awake()\nreturn { \"created\" }\n",
};

const createOrderShape = {
  created: [],
  exists: [["state", "string"], ["queued", "strings"]],
  unindexed: [["rests", "int"]],
} as const satisfies ReplyShape;

async function createOrder(redis: RedisClient, args: CreateOrderArgs): Promise<CreateOrderReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}order:${args.order}`, `${tag}orders`, `${tag}order-jobs:${args.order}`, `${tag}room-orders:${args.room}`, `${tag}index`, `${tag}deadlines`, `${tag}jobs`];
  const values = [args.order, args.room, JSON.stringify(args.facts), JSON.stringify(args.newJobs), args.retainMs, args.guardMs, args.waitMs, args.rests, args.nowMs ?? ""];
  return parseReply<CreateOrderReply>("create-order", await runScript(redis, createOrderScript, keys, values), createOrderShape);
}

/**
 * delete-order: a work order is taken back. Its waiting jobs end, its running ones are told to stop, it makes no more.
 * An order with more jobs than `limit` is deleted by repeating the call; from the first on it makes no new ones.
 */
export interface DeleteOrderArgs {
  namespace: string;
  /** Order id. */
  order: string;
  /** How long a worker's place stays taken when it does not confirm. */
  stopMs: number;
  /** Jobs ended in one call, at most. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type DeleteOrderReply =
  | { status: "deleted"; deletedAt: number; stops: shapes.Stop[]; more: number; serve: string[] }
  | { status: "unknown" };

const deleteOrderScript: Script = {
  name: "delete-order",
  sha: "ceb05465950ca1d65a63668471c2e7106c452558",
  keyCount: 8,
  source: "local order_key = KEYS[1]\nlocal order_jobs_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal jobs_key = KEYS[4]\nlocal ended_jobs_key = KEYS[5]\nlocal orders_key = KEYS[6]\nlocal ended_orders_key = KEYS[7]\nlocal stops_key = KEYS[8]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal order = ARGV[1]\nlocal stop_ms = tonumber(ARGV[2])\nlocal limit = tonumber(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal function stop_field(session_id, wire)\n  return session_id .. \"|\" .. wire\nend\n\n-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the\n-- stop to deliver.\nlocal function add_stop(job_id, job, reason, until_ms)\n  local field = stop_field(job.session, job.wire)\n  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire,\n    epoch = tonumber(job.epoch), reason = reason }\n  redis.call(\"HSET\", stops_key, field, cjson.encode(stop))\n  redis.call(\"SADD\", gateway_stops_of(job.gateway), field)\n  set_timer(\"stop|\" .. field, until_ms)\n  return stop\nend\n\n-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.\nlocal function finish_stop(field)\n  local stop = cjson.decode(redis.call(\"HGET\", stops_key, field))\n  redis.call(\"HDEL\", stops_key, field)\n  redis.call(\"SREM\", gateway_stops_of(stop.gateway), field)\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  redis.call(\"ZREM\", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))\n  local has_room, pool = place(stop.session)\n  return has_room and pool or nil\nend\n\n-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it; and whether that made room.\nlocal function terminate_job(job_id, job, cause, reason, until_ms)\n  local held = job.state == \"starting\" or job.state == \"running\"\n  local stop = held and add_stop(job_id, job, reason, until_ms) or nil\n  return stop, end_job(job_id, job, \"canceled\", cause, reason, held)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal state, deleted_at, retain_ms = unpack(redis.call(\"HMGET\", order_key, \"state\", \"deleted_at\", \"retain_ms\"))\nif not state then return { \"unknown\" } end\nif state == \"live\" then end_order(order, \"deleted\", tonumber(retain_ms)) end\nif state ~= \"deleted\" then\n  redis.call(\"HSET\", order_key, \"state\", \"deleted\", \"deleted_at\", now)\n  deleted_at = now\nend\n\nlocal stops, serve = {}, {}\nfor _, id in ipairs(redis.call(\"ZRANGEBYSCORE\", order_jobs_key, 0, 0, \"LIMIT\", 0, limit)) do\n  local record = read_hash(job_of(id))\n  local stop, got_room = terminate_job(id, record, \"order_deleted\", \"the work order was deleted\", now + stop_ms)\n  stops[#stops + 1] = stop\n  also_serve(serve, record.pool, got_room)\nend\nlocal left = redis.call(\"ZCOUNT\", order_jobs_key, 0, 0)\nreturn { \"deleted\", deleted_at, encode_list(stops), left > 0 and 1 or 0, serve }\n",
};

const deleteOrderShape = {
  deleted: [["deletedAt", "int"], ["stops", "json"], ["more", "int"], ["serve", "strings"]],
  unknown: [],
} as const satisfies ReplyShape;

async function deleteOrder(redis: RedisClient, args: DeleteOrderArgs): Promise<DeleteOrderReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}order:${args.order}`, `${tag}order-jobs:${args.order}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`, `${tag}stops`];
  const values = [args.order, args.stopMs, args.limit, args.nowMs ?? ""];
  return parseReply<DeleteOrderReply>("delete-order", await runScript(redis, deleteOrderScript, keys, values), deleteOrderShape);
}

/**
 * deregister-session: a worker's socket is gone. The session takes no more work; its offers go back, its jobs are orphans.
 */
export interface DeregisterSessionArgs {
  namespace: string;
  /** Session id. */
  session: string;
  /** How long an orphan waits for its worker to come back. */
  graceMs: number;
  /** After this time a requeued job is tried if nobody did. */
  guardMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type DeregisterSessionReply =
  | { status: "deregistered"; requeued: string[]; orphaned: string[] }
  | { status: "unknown" };

const deregisterSessionScript: Script = {
  name: "deregister-session",
  sha: "e9763333e341277c4efd9f18c4a7825de0521d3c",
  keyCount: 3,
  source: "local session_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal sessions_key = KEYS[3]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function gateway_sessions_of(id) return tag .. \"gateway-sessions:\" .. id end\nlocal session = ARGV[1]\nlocal grace_ms = tonumber(ARGV[2])\nlocal guard_ms = tonumber(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Open offers go back without blame; started jobs become orphans, whose fate is decided within the grace.\n-- The places of orphans, and of those who were told to stop, stay in session-jobs until that is decided: a session\n-- whose gateway only lapsed comes back under its id, and must not look empty then.\n-- Fills the two lists with job ids. The session's pool, or nil when it was not there.\nlocal function lose_session(id, gateway, grace_ms, guard_ms, requeued, orphaned)\n  local pool = redis.call(\"HGET\", session_of(id), \"pool\")\n  redis.call(\"SREM\", gateway_sessions_of(gateway), id)\n  if not pool then return nil end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  redis.call(\"DEL\", session_of(id))\n  redis.call(\"ZREM\", sessions_key, id)\n  redis.call(\"ZREM\", deadlines_key, \"session|\" .. id)\n  for _, member in ipairs(redis.call(\"ZRANGE\", session_jobs_of(id), 0, -1)) do\n    local job_id, epoch = string.match(member, \"^(.-)#(.*)$\")\n    local state, holder, newest = unpack(redis.call(\"HMGET\", job_of(job_id), \"state\", \"session\", \"epoch\"))\n    if holder == id and newest == epoch then\n      if state == \"offered\" then\n        redis.call(\"ZREM\", session_jobs_of(id), member)\n        requeue(job_id, now + guard_ms)\n        requeued[#requeued + 1] = job_id\n      elseif state == \"starting\" or state == \"running\" then\n        redis.call(\"HSET\", job_of(job_id), \"state\", \"orphaned\", \"orphaned_at\", now, \"updated_at\", now)\n        set_timer(\"job|\" .. job_id, now + grace_ms)\n        orphaned[#orphaned + 1] = job_id\n      end\n    end\n  end\n  return pool\nend\n\nlocal gateway = redis.call(\"HGET\", session_key, \"gateway\")\nif not gateway then return { \"unknown\" } end\nlocal requeued, orphaned = {}, {}\nlose_session(session, gateway, grace_ms, guard_ms, requeued, orphaned)\nreturn { \"deregistered\", requeued, orphaned }\n",
};

const deregisterSessionShape = {
  deregistered: [["requeued", "strings"], ["orphaned", "strings"]],
  unknown: [],
} as const satisfies ReplyShape;

async function deregisterSession(redis: RedisClient, args: DeregisterSessionArgs): Promise<DeregisterSessionReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}session:${args.session}`, `${tag}deadlines`, `${tag}sessions`];
  const values = [args.session, args.graceMs, args.guardMs, args.nowMs ?? ""];
  return parseReply<DeregisterSessionReply>("deregister-session", await runScript(redis, deregisterSessionScript, keys, values), deregisterSessionShape);
}

/**
 * end-job: ends a job on evidence from outside the worker's socket: its room is over, its participant left.
 */
export interface EndJobArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** success | failed | expired | canceled | unknown */
  outcome: string;
  /** Why, one word; kept with the job. */
  cause: string;
  /** Error text for people; empty when none. */
  message: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type EndJobReply =
  | { status: "ended"; serve: string }
  | { status: "final"; outcome: string }
  | { status: "unknown" };

const endJobScript: Script = {
  name: "end-job",
  sha: "2b1718a9bc32bc374850271255c15dd56470d7f9",
  keyCount: 6,
  source: "local job_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal jobs_key = KEYS[3]\nlocal ended_jobs_key = KEYS[4]\nlocal orders_key = KEYS[5]\nlocal ended_orders_key = KEYS[6]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal job = ARGV[1]\nlocal outcome = ARGV[2]\nlocal cause = ARGV[3]\nlocal message = ARGV[4]\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal record = read_hash(job_key)\nif not record then return { \"unknown\" } end\nif record.state == \"ended\" then return { \"final\", record.outcome } end\nreturn { \"ended\", to_serve(record.pool, end_job(job, record, outcome, cause, message, false)) }\n",
};

const endJobShape = {
  ended: [["serve", "string"]],
  final: [["outcome", "string"]],
  unknown: [],
} as const satisfies ReplyShape;

async function endJob(redis: RedisClient, args: EndJobArgs): Promise<EndJobReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`];
  const values = [args.job, args.outcome, args.cause, args.message, args.nowMs ?? ""];
  return parseReply<EndJobReply>("end-job", await runScript(redis, endJobScript, keys, values), endJobShape);
}

/**
 * enter-order: an order lives in these namespaces, besides or instead of the project's default one, where everybody
 * looks unasked. Written before the order itself: a reader may find nothing there, never miss what is there.
 */
export interface EnterOrderArgs {
  project: string;
  /** Order id. */
  order: string;
  /** Room name. */
  room: string;
  /** Where it lives. */
  namespaces: readonly string[];
  /** How long the entry is kept from now; outlives every order. */
  keepMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type EnterOrderReply =
  | { status: "entered" };

const enterOrderScript: Script = {
  name: "enter-order",
  sha: "cf33ed2616b42de271ff54f5141ef87692e03437",
  keyCount: 2,
  source: "local order_key = KEYS[1]\nlocal room_key = KEYS[2]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal namespaces = cjson.decode(ARGV[1])\nlocal keep_ms = tonumber(ARGV[2])\nlocal now = tonumber(ARGV[3])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nfor _, key in ipairs(#namespaces > 0 and { order_key, room_key } or {}) do\n  redis.call(\"SADD\", key, unpack(namespaces))\n  redis.call(\"PEXPIRE\", key, keep_ms)\nend\nreturn { \"entered\" }\n",
};

const enterOrderShape = {
  entered: [],
} as const satisfies ReplyShape;

async function enterOrder(redis: RedisClient, args: EnterOrderArgs): Promise<EnterOrderReply> {
  const tag = projectTag(args.project);
  const keys = [`${tag}order:${args.order}`, `${tag}room:${args.room}`];
  const values = [JSON.stringify(args.namespaces), args.keepMs, args.nowMs ?? ""];
  return parseReply<EnterOrderReply>("enter-order", await runScript(redis, enterOrderScript, keys, values), enterOrderShape);
}

/**
 * expire-gateway: a gateway's lease in this namespace has ended: its sockets are taken for gone, some sessions a call.
 * `serve`: pools where jobs wait and somebody else has room; the dead sessions may have stood before them.
 */
export interface ExpireGatewayArgs {
  namespace: string;
  /** Node id of the gateway. */
  gateway: string;
  /** How long an orphan waits for its worker to come back. */
  graceMs: number;
  /** After this time a requeued job is tried if nobody did. */
  guardMs: number;
  /** Sessions taken in one call, at most. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ExpireGatewayReply =
  | { status: "lost"; sessions: number; requeued: string[]; orphaned: string[]; more: number; serve: string[] }
  | { status: "idle" };

const expireGatewayScript: Script = {
  name: "expire-gateway",
  sha: "e828109a1afa812afa704cc717545187cb566eb6",
  keyCount: 4,
  source: "local gateways_key = KEYS[1]\nlocal gateway_sessions_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal sessions_key = KEYS[4]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function gateway_sessions_of(id) return tag .. \"gateway-sessions:\" .. id end\nlocal gateway = ARGV[1]\nlocal grace_ms = tonumber(ARGV[2])\nlocal guard_ms = tonumber(ARGV[3])\nlocal limit = tonumber(ARGV[4])\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Open offers go back without blame; started jobs become orphans, whose fate is decided within the grace.\n-- The places of orphans, and of those who were told to stop, stay in session-jobs until that is decided: a session\n-- whose gateway only lapsed comes back under its id, and must not look empty then.\n-- Fills the two lists with job ids. The session's pool, or nil when it was not there.\nlocal function lose_session(id, gateway, grace_ms, guard_ms, requeued, orphaned)\n  local pool = redis.call(\"HGET\", session_of(id), \"pool\")\n  redis.call(\"SREM\", gateway_sessions_of(gateway), id)\n  if not pool then return nil end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  redis.call(\"DEL\", session_of(id))\n  redis.call(\"ZREM\", sessions_key, id)\n  redis.call(\"ZREM\", deadlines_key, \"session|\" .. id)\n  for _, member in ipairs(redis.call(\"ZRANGE\", session_jobs_of(id), 0, -1)) do\n    local job_id, epoch = string.match(member, \"^(.-)#(.*)$\")\n    local state, holder, newest = unpack(redis.call(\"HMGET\", job_of(job_id), \"state\", \"session\", \"epoch\"))\n    if holder == id and newest == epoch then\n      if state == \"offered\" then\n        redis.call(\"ZREM\", session_jobs_of(id), member)\n        requeue(job_id, now + guard_ms)\n        requeued[#requeued + 1] = job_id\n      elseif state == \"starting\" or state == \"running\" then\n        redis.call(\"HSET\", job_of(job_id), \"state\", \"orphaned\", \"orphaned_at\", now, \"updated_at\", now)\n        set_timer(\"job|\" .. job_id, now + grace_ms)\n        orphaned[#orphaned + 1] = job_id\n      end\n    end\n  end\n  return pool\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal lease = tonumber(redis.call(\"ZSCORE\", gateways_key, gateway) or 0)\nif lease > now then return { \"idle\" } end\nlocal requeued, orphaned, serve = {}, {}, {}\nlocal sessions = redis.call(\"SRANDMEMBER\", gateway_sessions_key, limit)\nfor _, id in ipairs(sessions) do\n  local pool = lose_session(id, gateway, grace_ms, guard_ms, requeued, orphaned)\n  also_serve(serve, pool, pool ~= nil and redis.call(\"ZCARD\", pool_of(pool)) > 0)\nend\nlocal left = redis.call(\"SCARD\", gateway_sessions_key)\nif left == 0 then\n  redis.call(\"ZREM\", gateways_key, gateway)\n  redis.call(\"ZREM\", deadlines_key, \"gateway|\" .. gateway)\nend\nreturn { \"lost\", #sessions, requeued, orphaned, left > 0 and 1 or 0, serve }\n",
};

const expireGatewayShape = {
  lost: [["sessions", "int"], ["requeued", "strings"], ["orphaned", "strings"], ["more", "int"], ["serve", "strings"]],
  idle: [],
} as const satisfies ReplyShape;

async function expireGateway(redis: RedisClient, args: ExpireGatewayArgs): Promise<ExpireGatewayReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}gateways`, `${tag}gateway-sessions:${args.gateway}`, `${tag}deadlines`, `${tag}sessions`];
  const values = [args.gateway, args.graceMs, args.guardMs, args.limit, args.nowMs ?? ""];
  return parseReply<ExpireGatewayReply>("expire-gateway", await runScript(redis, expireGatewayScript, keys, values), expireGatewayShape);
}

/**
 * expire-job: the timer of a job is due: its offer, its start, its back-off, its waiting time, its grace. What it means
 * is read off the job's state; a timer that was moved meanwhile is left alone.
 */
export interface ExpireJobArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** After this time a queued job is tried again if nobody did. */
  guardMs: number;
  /** How long a worker that never started may keep its place. */
  stopMs: number;
  /** Starts that may fail before the job does. */
  maxAttempts: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ExpireJobReply =
  | { status: "requeued"; serve: string }
  | { status: "stopping"; stop: shapes.Stop|null }
  | { status: "ended"; outcome: string; serve: string }
  | { status: "idle" };

const expireJobScript: Script = {
  name: "expire-job",
  sha: "c6a638f163a5219cd5d770d70f29d69feedf1c49",
  keyCount: 7,
  source: "local job_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal jobs_key = KEYS[3]\nlocal ended_jobs_key = KEYS[4]\nlocal orders_key = KEYS[5]\nlocal ended_orders_key = KEYS[6]\nlocal stops_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal job = ARGV[1]\nlocal guard_ms = tonumber(ARGV[2])\nlocal stop_ms = tonumber(ARGV[3])\nlocal max_attempts = tonumber(ARGV[4])\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal function stop_field(session_id, wire)\n  return session_id .. \"|\" .. wire\nend\n\n-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the\n-- stop to deliver.\nlocal function add_stop(job_id, job, reason, until_ms)\n  local field = stop_field(job.session, job.wire)\n  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire,\n    epoch = tonumber(job.epoch), reason = reason }\n  redis.call(\"HSET\", stops_key, field, cjson.encode(stop))\n  redis.call(\"SADD\", gateway_stops_of(job.gateway), field)\n  set_timer(\"stop|\" .. field, until_ms)\n  return stop\nend\n\n-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.\nlocal function finish_stop(field)\n  local stop = cjson.decode(redis.call(\"HGET\", stops_key, field))\n  redis.call(\"HDEL\", stops_key, field)\n  redis.call(\"SREM\", gateway_stops_of(stop.gateway), field)\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  redis.call(\"ZREM\", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))\n  local has_room, pool = place(stop.session)\n  return has_room and pool or nil\nend\n\n-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it; and whether that made room.\nlocal function terminate_job(job_id, job, cause, reason, until_ms)\n  local held = job.state == \"starting\" or job.state == \"running\"\n  local stop = held and add_stop(job_id, job, reason, until_ms) or nil\n  return stop, end_job(job_id, job, \"canceled\", cause, reason, held)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal due = redis.call(\"ZSCORE\", deadlines_key, \"job|\" .. job)\nif not due or tonumber(due) > now then return { \"idle\" } end\nlocal record = read_hash(job_key)\nlocal state = record and record.state or \"ended\"\nif state == \"ended\" or state == \"running\" then\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job)\n  return { \"idle\" }\nend\n\n-- Not an answer by the offer's deadline: the gateway that asked is gone or late. Nobody is blamed.\nif state == \"offered\" then\n  local got_room = release(job, record)\n  requeue(job, now + guard_ms)\n  return { \"requeued\", to_serve(record.pool, got_room) }\nend\n\n-- Accepted and never seen to run: stop it there, then try the next worker, which is due at once.\nif state == \"starting\" then\n  local stop = cjson.encode(add_stop(job, record, \"the job was never seen to start\", now + stop_ms))\n  if tonumber(record.attempts) >= max_attempts then\n    end_job(job, record, \"failed\", \"never_started\", \"no worker started the job\", true)\n  else\n    exclude(job, record, record.session)\n    requeue(job, now)\n  end\n  return { \"stopping\", stop }\nend\n\n-- The holder did not come back, and nothing says how the job ended.\nif state == \"orphaned\" then\n  local got_room = end_job(job, record, \"unknown\", \"worker_lost\", \"the worker was lost and did not come back\", false)\n  return { \"ended\", \"unknown\", to_serve(record.pool, got_room) }\nend\n\n-- The deletion of an order with many jobs stopped half-way.\nif record.order ~= \"\" and redis.call(\"HGET\", order_of(record.order), \"state\") ~= \"live\" then\n  end_job(job, record, \"canceled\", \"order_deleted\", \"the work order was deleted\", false)\n  return { \"ended\", \"canceled\", \"\" }\nend\nif now >= tonumber(record.wait_until) then\n  end_job(job, record, \"expired\", \"waited_too_long\", \"no worker took the job in time\", false)\n  return { \"ended\", \"expired\", \"\" }\nend\n-- Back-off over: those who refused may be asked again. Or nobody tried it: they stay excluded.\nif state == \"parked\" then\n  redis.call(\"HSET\", job_key, \"excluded\", \"\")\n  redis.call(\"ZREM\", parked_of(record.pool), job)\nend\nrequeue(job, now + guard_ms)\nreturn { \"requeued\", \"\" }\n",
};

const expireJobShape = {
  requeued: [["serve", "string"]],
  stopping: [["stop", "json"]],
  ended: [["outcome", "string"], ["serve", "string"]],
  idle: [],
} as const satisfies ReplyShape;

async function expireJob(redis: RedisClient, args: ExpireJobArgs): Promise<ExpireJobReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`, `${tag}stops`];
  const values = [args.job, args.guardMs, args.stopMs, args.maxAttempts, args.nowMs ?? ""];
  return parseReply<ExpireJobReply>("expire-job", await runScript(redis, expireJobScript, keys, values), expireJobShape);
}

/**
 * expire-session: a silent worker's cool-down is over; it may be asked again.
 */
export interface ExpireSessionArgs {
  namespace: string;
  /** Session id. */
  session: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ExpireSessionReply =
  | { status: "back"; serve: string }
  | { status: "idle" };

const expireSessionScript: Script = {
  name: "expire-session",
  sha: "245b4865551dd8b38438f9e965d53795b9105cf6",
  keyCount: 1,
  source: "local deadlines_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal session = ARGV[1]\nlocal now = tonumber(ARGV[2])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal timer = \"session|\" .. session\nlocal due = redis.call(\"ZSCORE\", deadlines_key, timer)\nif not due or tonumber(due) > now then return { \"idle\" } end\nredis.call(\"ZREM\", deadlines_key, timer)\nlocal has_room, pool = place(session)\nreturn { \"back\", to_serve(pool, has_room) }\n",
};

const expireSessionShape = {
  back: [["serve", "string"]],
  idle: [],
} as const satisfies ReplyShape;

async function expireSession(redis: RedisClient, args: ExpireSessionArgs): Promise<ExpireSessionReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}deadlines`];
  const values = [args.session, args.nowMs ?? ""];
  return parseReply<ExpireSessionReply>("expire-session", await runScript(redis, expireSessionScript, keys, values), expireSessionShape);
}

/**
 * expire-stop: a worker had its time to stop and did not confirm; its place is free again.
 */
export interface ExpireStopArgs {
  namespace: string;
  /** Session and wire id, as in the timer's name. */
  field: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ExpireStopReply =
  | { status: "released"; serve: string }
  | { status: "idle" };

const expireStopScript: Script = {
  name: "expire-stop",
  sha: "e5ebcf771bd38f06659dfa75f7652e2cee4417ea",
  keyCount: 6,
  source: "local stops_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal jobs_key = KEYS[3]\nlocal ended_jobs_key = KEYS[4]\nlocal orders_key = KEYS[5]\nlocal ended_orders_key = KEYS[6]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal field = ARGV[1]\nlocal now = tonumber(ARGV[2])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal function stop_field(session_id, wire)\n  return session_id .. \"|\" .. wire\nend\n\n-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the\n-- stop to deliver.\nlocal function add_stop(job_id, job, reason, until_ms)\n  local field = stop_field(job.session, job.wire)\n  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire,\n    epoch = tonumber(job.epoch), reason = reason }\n  redis.call(\"HSET\", stops_key, field, cjson.encode(stop))\n  redis.call(\"SADD\", gateway_stops_of(job.gateway), field)\n  set_timer(\"stop|\" .. field, until_ms)\n  return stop\nend\n\n-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.\nlocal function finish_stop(field)\n  local stop = cjson.decode(redis.call(\"HGET\", stops_key, field))\n  redis.call(\"HDEL\", stops_key, field)\n  redis.call(\"SREM\", gateway_stops_of(stop.gateway), field)\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  redis.call(\"ZREM\", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))\n  local has_room, pool = place(stop.session)\n  return has_room and pool or nil\nend\n\n-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it; and whether that made room.\nlocal function terminate_job(job_id, job, cause, reason, until_ms)\n  local held = job.state == \"starting\" or job.state == \"running\"\n  local stop = held and add_stop(job_id, job, reason, until_ms) or nil\n  return stop, end_job(job_id, job, \"canceled\", cause, reason, held)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal due = redis.call(\"ZSCORE\", deadlines_key, \"stop|\" .. field)\nif not due or tonumber(due) > now then return { \"idle\" } end\nif redis.call(\"HEXISTS\", stops_key, field) == 0 then\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  return { \"idle\" }\nend\nlocal freed = finish_stop(field)\nreturn { \"released\", to_serve(freed, freed ~= nil) }\n",
};

const expireStopShape = {
  released: [["serve", "string"]],
  idle: [],
} as const satisfies ReplyShape;

async function expireStop(redis: RedisClient, args: ExpireStopArgs): Promise<ExpireStopReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}stops`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`];
  const values = [args.field, args.nowMs ?? ""];
  return parseReply<ExpireStopReply>("expire-stop", await runScript(redis, expireStopScript, keys, values), expireStopShape);
}

/**
 * find-order: the namespaces, besides the default one, where an order or the orders of a room may live. Reads only.
 */
export interface FindOrderArgs {
  project: string;
  /** Order id; empty to look for a room. */
  order: string;
  /** Room name; empty to look for an order. */
  room: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type FindOrderReply =
  | { status: "found"; namespaces: string[] };

const findOrderScript: Script = {
  name: "find-order",
  sha: "a8719c46bd8d5b85c40f05e5e545fc4f0f42a777",
  keyCount: 2,
  source: "local order_key = KEYS[1]\nlocal room_key = KEYS[2]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal now = tonumber(ARGV[1])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nreturn { \"found\", redis.call(\"SUNION\", order_key, room_key) }\n",
};

const findOrderShape = {
  found: [["namespaces", "strings"]],
} as const satisfies ReplyShape;

async function findOrder(redis: RedisClient, args: FindOrderArgs): Promise<FindOrderReply> {
  const tag = projectTag(args.project);
  const keys = [`${tag}order:${args.order}`, `${tag}room:${args.room}`];
  const values = [args.nowMs ?? ""];
  return parseReply<FindOrderReply>("find-order", await runScript(redis, findOrderScript, keys, values), findOrderShape);
}

/**
 * list-agent: the namespaces that know an agent. Reads only.
 */
export interface ListAgentArgs {
  project: string;
  /** Agent name. */
  agent: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ListAgentReply =
  | { status: "known"; namespaces: string[] };

const listAgentScript: Script = {
  name: "list-agent",
  sha: "a620500c71b440c480ef86f10023acfa1c9538d1",
  keyCount: 1,
  source: "local agent_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal now = tonumber(ARGV[1])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nreturn { \"known\", redis.call(\"SMEMBERS\", agent_key) }\n",
};

const listAgentShape = {
  known: [["namespaces", "strings"]],
} as const satisfies ReplyShape;

async function listAgent(redis: RedisClient, args: ListAgentArgs): Promise<ListAgentReply> {
  const tag = projectTag(args.project);
  const keys = [`${tag}agent:${args.agent}`];
  const values = [args.nowMs ?? ""];
  return parseReply<ListAgentReply>("list-agent", await runScript(redis, listAgentScript, keys, values), listAgentShape);
}

/**
 * list-due: the timers of a namespace that are due, and when the next one is. Changes nothing: each expire script
 * looks again for itself.
 */
export interface ListDueArgs {
  namespace: string;
  /** Timers listed, at most. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ListDueReply =
  | { status: "due"; timers: string[]; next: number; now: number };

const listDueScript: Script = {
  name: "list-due",
  sha: "72581af84780e7df661be09b66c1778d3dfc0d8c",
  keyCount: 1,
  source: "local deadlines_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal limit = tonumber(ARGV[1])\nlocal now = tonumber(ARGV[2])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nlocal timers = redis.call(\"ZRANGEBYSCORE\", deadlines_key, \"-inf\", now, \"LIMIT\", 0, limit)\nlocal following = redis.call(\"ZRANGEBYSCORE\", deadlines_key, \"(\" .. now, \"+inf\", \"WITHSCORES\", \"LIMIT\", 0, 1)\nreturn { \"due\", timers, following[2] and math.floor(tonumber(following[2])) or -1, now }\n",
};

const listDueShape = {
  due: [["timers", "strings"], ["next", "int"], ["now", "int"]],
} as const satisfies ReplyShape;

async function listDue(redis: RedisClient, args: ListDueArgs): Promise<ListDueReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}deadlines`];
  const values = [args.limit, args.nowMs ?? ""];
  return parseReply<ListDueReply>("list-due", await runScript(redis, listDueScript, keys, values), listDueShape);
}

/**
 * list-records: a page of sessions, jobs or orders, by rank in the set that lists them. Reads only.
 */
export interface ListRecordsArgs {
  namespace: string;
  /** sessions | jobs | ended-jobs | orders | ended-orders */
  list: string;
  /** session | job | order */
  kind: string;
  /** First rank. */
  offset: number;
  /** Records, at most 500. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ListRecordsReply =
  | { status: "page"; records: Record<string,string>[]; total: number };

const listRecordsScript: Script = {
  name: "list-records",
  sha: "84ee97faf4e798d7ffd622082bafa3b975ee0b40",
  keyCount: 1,
  source: "local list_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function record_of(id) return tag .. \"\" .. id end\nlocal list = ARGV[1]\nlocal kind = ARGV[2]\nlocal offset = tonumber(ARGV[3])\nlocal limit = tonumber(ARGV[4])\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\nlocal records = {}\nfor _, id in ipairs(redis.call(\"ZRANGE\", list_key, offset, offset + limit - 1)) do\n  records[#records + 1] = read_hash(record_of(kind .. \":\" .. id))\nend\nreturn { \"page\", encode_list(records), redis.call(\"ZCARD\", list_key) }\n",
};

const listRecordsShape = {
  page: [["records", "json"], ["total", "int"]],
} as const satisfies ReplyShape;

async function listRecords(redis: RedisClient, args: ListRecordsArgs): Promise<ListRecordsReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}${args.list}`];
  const values = [args.list, args.kind, args.offset, args.limit, args.nowMs ?? ""];
  return parseReply<ListRecordsReply>("list-records", await runScript(redis, listRecordsScript, keys, values), listRecordsShape);
}

/**
 * list-room-orders: the work orders of a room, oldest first, each with its jobs. Reads only.
 */
export interface ListRoomOrdersArgs {
  namespace: string;
  /** Room name. */
  room: string;
  /** One order id, or empty for all. */
  only: string;
  /** Orders listed, at most; and jobs of each. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ListRoomOrdersReply =
  | { status: "listed"; orders: shapes.OrderWithJobs[] };

const listRoomOrdersScript: Script = {
  name: "list-room-orders",
  sha: "0942573c021629fb57c77434e8968783f9e34bab",
  keyCount: 1,
  source: "local room_orders_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal room = ARGV[1]\nlocal only = ARGV[2]\nlocal limit = tonumber(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\nlocal listed = {}\nlocal ids = only ~= \"\" and { only } or redis.call(\"ZRANGE\", room_orders_key, 0, limit - 1)\nfor _, id in ipairs(ids) do\n  local order = read_hash(order_of(id))\n  if order and order.room == room then\n    local jobs = {}\n    for _, job_id in ipairs(redis.call(\"ZRANGE\", order_jobs_of(id), 0, limit - 1)) do\n      jobs[#jobs + 1] = read_hash(job_of(job_id))\n    end\n    listed[#listed + 1] = { order = order, jobs = jobs }\n  end\nend\nreturn { \"listed\", encode_list(listed) }\n",
};

const listRoomOrdersShape = {
  listed: [["orders", "json"]],
} as const satisfies ReplyShape;

async function listRoomOrders(redis: RedisClient, args: ListRoomOrdersArgs): Promise<ListRoomOrdersReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}room-orders:${args.room}`];
  const values = [args.room, args.only, args.limit, args.nowMs ?? ""];
  return parseReply<ListRoomOrdersReply>("list-room-orders", await runScript(redis, listRoomOrdersScript, keys, values), listRoomOrdersShape);
}

/**
 * read-record: one session, job or order, as it stands. Reads only.
 */
export interface ReadRecordArgs {
  namespace: string;
  /** session | job | order */
  kind: string;
  /** Its id. */
  id: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ReadRecordReply =
  | { status: "found"; record: Record<string, string> }
  | { status: "unknown" };

const readRecordScript: Script = {
  name: "read-record",
  sha: "d0a24b61ea7b07fbcd3ac1b8c529a01c8bfa1b04",
  keyCount: 1,
  source: "local record_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal now = tonumber(ARGV[1])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nlocal record = redis.call(\"HGETALL\", record_key)\nif #record == 0 then return { \"unknown\" } end\nreturn { \"found\", record }\n",
};

const readRecordShape = {
  found: [["record", "hash"]],
  unknown: [],
} as const satisfies ReplyShape;

async function readRecord(redis: RedisClient, args: ReadRecordArgs): Promise<ReadRecordReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}${args.kind}:${args.id}`];
  const values = [args.nowMs ?? ""];
  return parseReply<ReadRecordReply>("read-record", await runScript(redis, readRecordScript, keys, values), readRecordShape);
}

/**
 * register-session: a worker's socket has registered; it can be offered work from now on.
 * Repeating it with the same session changes nothing. After a flush, or a lapse of its gateway, it makes the session anew.
 */
export interface RegisterSessionArgs {
  namespace: string;
  /** Session id, made by the gateway for this socket. */
  session: string;
  /** Node id of the gateway that holds the socket. */
  gateway: string;
  /** Name of the pool (domain/pool). */
  pool: string;
  /** What the session is; kept as given. */
  facts: shapes.SessionFacts;
  /** How long the gateway's lease in this namespace lasts from now. */
  leaseMs: number;
  /** The count answered by `unindexed`, once the namespace is in the index; -1 before. */
  rests: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type RegisterSessionReply =
  | { status: "registered"; serve: string }
  | { status: "unindexed"; rests: number };

const registerSessionScript: Script = {
  name: "register-session",
  sha: "18a0565e77c49813931d3e4c814ccad111bb49a2",
  keyCount: 7,
  source: "local session_key = KEYS[1]\nlocal sessions_key = KEYS[2]\nlocal gateways_key = KEYS[3]\nlocal gateway_sessions_key = KEYS[4]\nlocal pools_key = KEYS[5]\nlocal index_key = KEYS[6]\nlocal deadlines_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal session = ARGV[1]\nlocal gateway = ARGV[2]\nlocal pool = ARGV[3]\nlocal facts = cjson.decode(ARGV[4])\nlocal lease_ms = tonumber(ARGV[5])\nlocal rests = tonumber(ARGV[6])\nlocal now = tonumber(ARGV[7])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- True when the caller must first list the namespace as due in the index, and call again with `rests` as answered.\n-- The count of rests fences an index entry that an actor going to rest may have removed in between.\nlocal is_awake = redis.call(\"HGET\", index_key, \"awake\")\nlocal function must_index(rests)\n  return not is_awake and tonumber(rests) ~= tonumber(redis.call(\"HGET\", index_key, \"rests\") or 0)\nend\n\nlocal function rests_so_far()\n  return tonumber(redis.call(\"HGET\", index_key, \"rests\") or 0)\nend\n\nlocal function stay_awake()\n  if not is_awake then redis.call(\"HSET\", index_key, \"awake\", 1) end\nend\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nif must_index(rests) then return { \"unindexed\", rests_so_far() } end\nif redis.call(\"EXISTS\", session_key) == 0 then\n  local fields = { \"id\", session, \"gateway\", gateway, \"pool\", pool, \"status\", \"available\", \"draining\", 0, \"load\", 0,\n    \"job_count\", 0, \"counts\", 0, \"sampled_at\", 0, \"cooling_until\", 0, \"silences\", 0, \"reports\", 0, \"connected_at\", now }\n  for field, value in pairs(facts) do\n    fields[#fields + 1] = field\n    fields[#fields + 1] = value\n  end\n  redis.call(\"HSET\", session_key, unpack(fields))\n  redis.call(\"ZADD\", sessions_key, now, session)\n  redis.call(\"SADD\", gateway_sessions_key, session)\nend\nstay_awake()\nredis.call(\"ZADD\", pools_key, now, pool)\nredis.call(\"ZADD\", gateways_key, \"GT\", now + lease_ms, gateway)\nset_timer(\"gateway|\" .. gateway, redis.call(\"ZSCORE\", gateways_key, gateway))\nreturn { \"registered\", to_serve(pool, (place(session))) }\n",
};

const registerSessionShape = {
  registered: [["serve", "string"]],
  unindexed: [["rests", "int"]],
} as const satisfies ReplyShape;

async function registerSession(redis: RedisClient, args: RegisterSessionArgs): Promise<RegisterSessionReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}session:${args.session}`, `${tag}sessions`, `${tag}gateways`, `${tag}gateway-sessions:${args.gateway}`, `${tag}pools`, `${tag}index`, `${tag}deadlines`];
  const values = [args.session, args.gateway, args.pool, JSON.stringify(args.facts), args.leaseMs, args.rests, args.nowMs ?? ""];
  return parseReply<RegisterSessionReply>("register-session", await runScript(redis, registerSessionScript, keys, values), registerSessionShape);
}

/**
 * reject: an offer came to nothing: the worker said no, said nothing, or could not be asked. Frees the reservation and
 * sends the job back, past this session; with `terminate` the job ends as success, as the protocol has it.
 * Only the gateway that wrote the offer to a live socket may say `silent`: the session then cools down, longer each time.
 * Repeated: the same answer.
 */
export interface RejectArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** The session that was asked. */
  session: string;
  /** Epoch of the offer. */
  epoch: number;
  /** rejected | silent | undelivered */
  reason: string;
  /** The worker asked that nobody else is asked either. */
  terminate: boolean;
  /** Cool-down after the first silence; doubled with each more, 5 min at most. */
  coolMs: number;
  /** After this time the job is tried again if nobody did. */
  guardMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type RejectReply =
  | { status: "requeued"; serve: string }
  | { status: "ended"; serve: string }
  | { status: "stale"; state: string };

const rejectScript: Script = {
  name: "reject",
  sha: "4a009ce198b6fac6f31b3a96037dfd3879772b69",
  keyCount: 7,
  source: "local job_key = KEYS[1]\nlocal session_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal jobs_key = KEYS[4]\nlocal ended_jobs_key = KEYS[5]\nlocal orders_key = KEYS[6]\nlocal ended_orders_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal job = ARGV[1]\nlocal session = ARGV[2]\nlocal epoch = tonumber(ARGV[3])\nlocal reason = ARGV[4]\nlocal terminate = ARGV[5] == \"1\"\nlocal cool_ms = tonumber(ARGV[6])\nlocal guard_ms = tonumber(ARGV[7])\nlocal now = tonumber(ARGV[8])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal record = read_hash(job_key)\nif not record then return { \"stale\", \"unknown\" } end\nif tonumber(record.epoch) == epoch and tonumber(record.refused_epoch) == epoch then\n  return { record.state == \"ended\" and \"ended\" or \"requeued\", to_serve(record.pool, true) }\nend\nif record.state ~= \"offered\" or record.session ~= session or tonumber(record.epoch) ~= epoch then\n  return { \"stale\", record.state }\nend\n\nredis.call(\"HSET\", job_key, \"refused_epoch\", epoch)\nif reason == \"silent\" and redis.call(\"EXISTS\", session_key) == 1 then\n  local silences = redis.call(\"HINCRBY\", session_key, \"silences\", 1)\n  local until_ms = now + math.min(300000, cool_ms * 2 ^ math.min(10, silences - 1))\n  redis.call(\"HSET\", session_key, \"cooling_until\", until_ms)\n  set_timer(\"session|\" .. session, until_ms)\nend\nif terminate then\n  local got_room = end_job(job, record, \"success\", \"terminated_by_worker\", \"\", false)\n  return { \"ended\", to_serve(record.pool, got_room) }\nend\n-- Whatever the reason: one that could not be asked is gone or about to be. Exclusions end with the next back-off.\nexclude(job, record, session)\nlocal got_room = release(job, record)\nrequeue(job, now + guard_ms)\nreturn { \"requeued\", to_serve(record.pool, got_room) }\n",
};

const rejectShape = {
  requeued: [["serve", "string"]],
  ended: [["serve", "string"]],
  stale: [["state", "string"]],
} as const satisfies ReplyShape;

async function reject(redis: RedisClient, args: RejectArgs): Promise<RejectReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}session:${args.session}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`];
  const values = [args.job, args.session, args.epoch, args.reason, args.terminate ? 1 : 0, args.coolMs, args.guardMs, args.nowMs ?? ""];
  return parseReply<RejectReply>("reject", await runScript(redis, rejectScript, keys, values), rejectShape);
}

/**
 * remember-agent: a worker of this agent has registered in this namespace. Orders that name no namespace go to those
 * that know their agent; remembered after its last worker left, so that work for it waits instead of vanishing.
 */
export interface RememberAgentArgs {
  project: string;
  /** Agent name. */
  agent: string;
  /** Namespace. */
  namespaceName: string;
  /** How long it is remembered from now. */
  keepMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type RememberAgentReply =
  | { status: "remembered" };

const rememberAgentScript: Script = {
  name: "remember-agent",
  sha: "51588fa41cd68c77faa3807e57bb68b0e5e4f7d3",
  keyCount: 1,
  source: "local agent_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal namespace_name = ARGV[1]\nlocal keep_ms = tonumber(ARGV[2])\nlocal now = tonumber(ARGV[3])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nredis.call(\"SADD\", agent_key, namespace_name)\nredis.call(\"PEXPIRE\", agent_key, keep_ms)\nreturn { \"remembered\" }\n",
};

const rememberAgentShape = {
  remembered: [],
} as const satisfies ReplyShape;

async function rememberAgent(redis: RedisClient, args: RememberAgentArgs): Promise<RememberAgentReply> {
  const tag = projectTag(args.project);
  const keys = [`${tag}agent:${args.agent}`];
  const values = [args.namespaceName, args.keepMs, args.nowMs ?? ""];
  return parseReply<RememberAgentReply>("remember-agent", await runScript(redis, rememberAgentScript, keys, values), rememberAgentShape);
}

/**
 * report: a worker says how a job stands (UpdateJobStatus). Counts from the holder, and for an orphan from any session
 * of the same pool: a reconnected worker sends what it queued on its new socket, before its MigrateJobRequest.
 * Also confirms a stop: the place that the stopped job still held is freed. An end that is repeated is answered the same.
 */
export interface ReportArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** The id as the worker wrote it. */
  wire: string;
  /** The session that reports. */
  session: string;
  /** running | success | failed */
  status: string;
  /** The worker's error text; empty when none. */
  message: string;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ReportReply =
  | { status: "running" }
  | { status: "ended"; serve: string }
  | { status: "released"; serve: string }
  | { status: "refused"; reason: string };

const reportScript: Script = {
  name: "report",
  sha: "45abe3ddc4075766aacc9f08fef6e241dabb6b59",
  keyCount: 8,
  source: "local job_key = KEYS[1]\nlocal session_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal jobs_key = KEYS[4]\nlocal ended_jobs_key = KEYS[5]\nlocal orders_key = KEYS[6]\nlocal ended_orders_key = KEYS[7]\nlocal stops_key = KEYS[8]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal job = ARGV[1]\nlocal wire = ARGV[2]\nlocal session = ARGV[3]\nlocal status = ARGV[4]\nlocal message = ARGV[5]\nlocal now = tonumber(ARGV[6])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal function stop_field(session_id, wire)\n  return session_id .. \"|\" .. wire\nend\n\n-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the\n-- stop to deliver.\nlocal function add_stop(job_id, job, reason, until_ms)\n  local field = stop_field(job.session, job.wire)\n  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire,\n    epoch = tonumber(job.epoch), reason = reason }\n  redis.call(\"HSET\", stops_key, field, cjson.encode(stop))\n  redis.call(\"SADD\", gateway_stops_of(job.gateway), field)\n  set_timer(\"stop|\" .. field, until_ms)\n  return stop\nend\n\n-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.\nlocal function finish_stop(field)\n  local stop = cjson.decode(redis.call(\"HGET\", stops_key, field))\n  redis.call(\"HDEL\", stops_key, field)\n  redis.call(\"SREM\", gateway_stops_of(stop.gateway), field)\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  redis.call(\"ZREM\", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))\n  local has_room, pool = place(stop.session)\n  return has_room and pool or nil\nend\n\n-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it; and whether that made room.\nlocal function terminate_job(job_id, job, cause, reason, until_ms)\n  local held = job.state == \"starting\" or job.state == \"running\"\n  local stop = held and add_stop(job_id, job, reason, until_ms) or nil\n  return stop, end_job(job_id, job, \"canceled\", cause, reason, held)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\n-- An orphan whose session is there again runs again, in the place that was kept for it.\nlocal function runs_again(job_id)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"running\", \"updated_at\", now)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\nend\n\n-- Redis came back without its last second, and a live gateway holds the assignment of an epoch that the ledger has not\n-- seen accepted: the worker runs it, so what the ledger remembers instead is taken back.\nlocal function recover(job_id, job, session_id, gateway, epoch, wire)\n  if job.session ~= session_id or tonumber(job.epoch) ~= epoch then release(job_id, job) end\n  local offers = math.max(tonumber(job.offers), tonumber(string.match(wire, \"%.(%d+)$\") or 1))\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"running\", \"epoch\", epoch, \"offers\", offers, \"wire\", wire,\n    \"session\", session_id, \"gateway\", gateway, \"started_at\", now, \"running_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZADD\", session_jobs_of(session_id), now, reservation(job_id, epoch))\n  place(session_id)\nend\n\nlocal pool = redis.call(\"HGET\", session_key, \"pool\")\nif not pool then return { \"refused\", \"unknown_session\" } end\nlocal field = stop_field(session, wire)\nif status ~= \"running\" and redis.call(\"HEXISTS\", stops_key, field) == 1 then\n  local freed = finish_stop(field)\n  return { \"released\", to_serve(freed, freed ~= nil) }\nend\nlocal record = read_hash(job_key)\nif not record then return { \"refused\", \"unknown_job\" } end\nif record.state == \"ended\" then\n  local same = record.cause == \"reported\" and record.outcome == status and record.wire == wire\n  if same then return { \"ended\", to_serve(pool, true) } end\n  return { \"refused\", \"ended\" }\nend\nlocal holds = record.session == session and record.wire == wire\nlocal adopts = record.state == \"orphaned\" and record.wire == wire and record.pool == pool\nif not holds and not adopts then return { \"refused\", \"held_elsewhere\" } end\nif record.state ~= \"starting\" and record.state ~= \"running\" and not adopts then return { \"refused\", record.state } end\n\nif status == \"running\" then\n  if not holds then return { \"refused\", \"orphaned\" } end\n  redis.call(\"HSET\", session_key, \"reports\", 1)\n  if record.state == \"starting\" then redis.call(\"HSET\", job_key, \"running_at\", now) end\n  runs_again(job)\n  return { \"running\" }\nend\nredis.call(\"HSET\", session_key, \"reports\", 1)\nreturn { \"ended\", to_serve(record.pool, end_job(job, record, status, \"reported\", message, false)) }\n",
};

const reportShape = {
  running: [],
  ended: [["serve", "string"]],
  released: [["serve", "string"]],
  refused: [["reason", "string"]],
} as const satisfies ReplyShape;

async function report(redis: RedisClient, args: ReportArgs): Promise<ReportReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}session:${args.session}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`, `${tag}stops`];
  const values = [args.job, args.wire, args.session, args.status, args.message, args.nowMs ?? ""];
  return parseReply<ReportReply>("report", await runScript(redis, reportScript, keys, values), reportShape);
}

/**
 * rest: an actor wants to go: the namespace may rest when it has neither sessions nor live jobs. From then on whoever
 * brings the first must list it in the index again; `next` is when its next timer is due, -1 when it has none.
 */
export interface RestArgs {
  namespace: string;

  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type RestReply =
  | { status: "resting"; next: number }
  | { status: "busy" };

const restScript: Script = {
  name: "rest",
  sha: "99db884cb158e74ea13f362944ea79d7d1d4af55",
  keyCount: 5,
  source: "local index_key = KEYS[1]\nlocal jobs_key = KEYS[2]\nlocal sessions_key = KEYS[3]\nlocal gateways_key = KEYS[4]\nlocal deadlines_key = KEYS[5]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal now = tonumber(ARGV[1])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nif redis.call(\"ZCARD\", jobs_key) > 0 or redis.call(\"ZCARD\", sessions_key) > 0 then return { \"busy\" } end\nredis.call(\"HDEL\", index_key, \"awake\")\nredis.call(\"HINCRBY\", index_key, \"rests\", 1)\nfor _, gateway in ipairs(redis.call(\"ZRANGE\", gateways_key, 0, -1)) do\n  redis.call(\"ZREM\", deadlines_key, \"gateway|\" .. gateway)\nend\nredis.call(\"DEL\", gateways_key)\nlocal following = redis.call(\"ZRANGE\", deadlines_key, 0, 0, \"WITHSCORES\")\nreturn { \"resting\", following[2] and math.floor(tonumber(following[2])) or -1 }\n",
};

const restShape = {
  resting: [["next", "int"]],
  busy: [],
} as const satisfies ReplyShape;

async function rest(redis: RedisClient, args: RestArgs): Promise<RestReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}index`, `${tag}jobs`, `${tag}sessions`, `${tag}gateways`, `${tag}deadlines`];
  const values = [args.nowMs ?? ""];
  return parseReply<RestReply>("rest", await runScript(redis, restScript, keys, values), restShape);
}

/**
 * sample-sessions: a gateway's batch of load samples. A load that was refused at the door comes as -1: the last good one
 * stands, and so does the time from which jobs are counted on top of it.
 */
export interface SampleSessionsArgs {
  namespace: string;
  /** Node id of the gateway; samples for sessions of another are ignored. */
  gateway: string;
  /** At most 256. */
  samples: readonly shapes.LoadSample[];
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type SampleSessionsReply =
  | { status: "sampled"; unknown: string[]; serve: string[] };

const sampleSessionsScript: Script = {
  name: "sample-sessions",
  sha: "eeb9d7b55a075073c45433c450cdb30043fabf63",
  keyCount: 1,
  source: "local deadlines_key = KEYS[1]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal gateway = ARGV[1]\nlocal samples = cjson.decode(ARGV[2])\nlocal now = tonumber(ARGV[3])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal unknown, serve = {}, {}\nfor _, sample in ipairs(samples) do\n  local key = session_of(sample.session)\n  if redis.call(\"HGET\", key, \"gateway\") == gateway then\n    local fields = { \"status\", sample.status, \"draining\", sample.draining and 1 or 0, \"job_count\", sample.job_count }\n    if sample.load >= 0 then\n      for _, value in ipairs({ \"load\", sample.load, \"sampled_at\", now }) do fields[#fields + 1] = value end\n    end\n    if sample.job_count > 0 then\n      for _, value in ipairs({ \"counts\", 1 }) do fields[#fields + 1] = value end\n    end\n    redis.call(\"HSET\", key, unpack(fields))\n    local has_room, pool = place(sample.session)\n    also_serve(serve, pool, has_room)\n  else\n    unknown[#unknown + 1] = sample.session\n  end\nend\nreturn { \"sampled\", unknown, serve }\n",
};

const sampleSessionsShape = {
  sampled: [["unknown", "strings"], ["serve", "strings"]],
} as const satisfies ReplyShape;

async function sampleSessions(redis: RedisClient, args: SampleSessionsArgs): Promise<SampleSessionsReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}deadlines`];
  const values = [args.gateway, JSON.stringify(args.samples), args.nowMs ?? ""];
  return parseReply<SampleSessionsReply>("sample-sessions", await runScript(redis, sampleSessionsScript, keys, values), sampleSessionsShape);
}

/**
 * seen: the job is known to run: STARTING becomes RUNNING, and its start deadline is over.
 */
export interface SeenArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** Its holder. */
  session: string;
  /** The holder's epoch. */
  epoch: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type SeenReply =
  | { status: "running" }
  | { status: "stale"; state: string };

const seenScript: Script = {
  name: "seen",
  sha: "1f1f140c6a2ee5f265599f2fe6ddc2599dd93e10",
  keyCount: 2,
  source: "local job_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal job = ARGV[1]\nlocal session = ARGV[2]\nlocal epoch = tonumber(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nlocal state, holder, held_epoch = unpack(redis.call(\"HMGET\", job_key, \"state\", \"session\", \"epoch\"))\nif not state then return { \"stale\", \"unknown\" } end\nif holder ~= session or tonumber(held_epoch) ~= epoch then return { \"stale\", state } end\nif state == \"running\" then return { \"running\" } end\nif state ~= \"starting\" then return { \"stale\", state } end\nredis.call(\"HSET\", job_key, \"state\", \"running\", \"running_at\", now, \"updated_at\", now)\nredis.call(\"ZREM\", deadlines_key, \"job|\" .. job)\nreturn { \"running\" }\n",
};

const seenShape = {
  running: [],
  stale: [["state", "string"]],
} as const satisfies ReplyShape;

async function seen(redis: RedisClient, args: SeenArgs): Promise<SeenReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}deadlines`];
  const values = [args.job, args.session, args.epoch, args.nowMs ?? ""];
  return parseReply<SeenReply>("seen", await runScript(redis, seenScript, keys, values), seenShape);
}

/**
 * serve: a pool got room: offers the best parked job that can use it. Called until it answers otherwise than offered.
 */
export interface ServeArgs {
  namespace: string;
  /** Name of the pool. */
  pool: string;
  /** Deadline of the offer from now, in Redis; longer than the gateway's own. */
  offerMs: number;
  /** Sessions looked at in one claim, at most. */
  scan: number;
  /** Parked jobs looked at, at most: the first can be waiting out a back-off. */
  heads: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type ServeReply =
  | { status: "offered"; deadline: number; job: Record<string, string>; order: Record<string, string>; considered: shapes.Considered[] }
  | { status: "no_room" }
  | { status: "empty" };

const serveScript: Script = {
  name: "serve",
  sha: "dbe75c80f68129c8a5c4f1608e0aa17e8eeaac50",
  keyCount: 3,
  source: "local pools_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal gateways_key = KEYS[3]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal pool = ARGV[1]\nlocal offer_ms = tonumber(ARGV[2])\nlocal scan = tonumber(ARGV[3])\nlocal heads = tonumber(ARGV[4])\nlocal now = tonumber(ARGV[5])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- A job that so many have refused waits out its back-off before it asks anybody else.\nlocal MOST_EXCLUDED = 256\n\nlocal function split_set(text)\n  local set, count = {}, 0\n  for id in string.gmatch(text, \"[^,]+\") do set[id] = true count = count + 1 end\n  return set, count\nend\n\n-- Sessions with room and their loads, least loaded first, by rank. A simulated job knows its only session.\nlocal function ranked_sessions(job, first, last)\n  if job.only == \"\" then return redis.call(\"ZRANGE\", pool_of(job.pool), first, last, \"WITHSCORES\") end\n  local load = first == 0 and redis.call(\"ZSCORE\", pool_of(job.pool), job.only)\n  return load and { job.only, load } or {}\nend\n\n-- The least loaded session of the pool that is not excluded and whose gateway is alive, and its gateway; looks at\n-- `scan` of them at most beyond the excluded ones. Third value: who was looked at and why not taken, for explain.\n-- Mostly the first one will do, so the others are read only when it does not.\nlocal function pick(job, scan)\n  local excluded, count = split_set(job.excluded)\n  local considered = {}\n  if count >= MOST_EXCLUDED then return nil, nil, considered end\n  for _, ranks in ipairs({ { 0, count }, { count + 1, count + scan - 1 } }) do\n    local ranked = ranked_sessions(job, ranks[1], ranks[2])\n    for index = 1, #ranked, 2 do\n      local id, load = ranked[index], ranked[index + 1]\n      local verdict, gateway = \"chosen\", nil\n      if excluded[id] then\n        verdict = \"excluded\"\n      else\n        gateway = redis.call(\"HGET\", session_of(id), \"gateway\")\n        local lease = gateway and redis.call(\"ZSCORE\", gateways_key, gateway)\n        if not lease or tonumber(lease) <= now then verdict = \"gateway_gone\" end\n      end\n      considered[#considered + 1] = { session = id, load = tonumber(load), verdict = verdict }\n      if verdict == \"chosen\" then return id, gateway, considered end\n    end\n  end\n  return nil, nil, considered\nend\n\n-- True for a job that may still be placed: waiting, and of a live order.\nlocal function is_waiting(job)\n  if job.state ~= \"queued\" and job.state ~= \"parked\" then return false end\n  return job.order == \"\" or redis.call(\"HGET\", order_of(job.order), \"state\") == \"live\"\nend\n\n-- Writes fields of a hash, and the same into what was read of it, so that the reply needs no second look.\nlocal function update(key, flat, changes)\n  local fields = {}\n  for index = 1, #flat, 2 do\n    local value = changes[flat[index]]\n    if value then\n      flat[index + 1] = value\n      fields[#fields + 1] = flat[index]\n      fields[#fields + 1] = value\n    end\n  end\n  redis.call(\"HSET\", key, unpack(fields))\nend\n\n-- Reserves a place on the session, makes the job OFFERED there, and answers with all that the gateway needs to ask its\n-- worker. The epoch fences every later answer; the wire id keeps a late answer to an earlier offer apart, since SDKs\n-- key everything by job id. An open reservation scores +inf: no load sample can have counted it.\nlocal function offer(job_id, job, flat, session_id, gateway, deadline, considered)\n  local epoch = string.format(\"%d\", job.epoch + 1)\n  local offers = string.format(\"%d\", job.offers + 1)\n  local wire = offers == \"1\" and job_id or (job_id .. \".\" .. offers)\n  local at = string.format(\"%.0f\", now)\n  update(job_of(job_id), flat, { state = \"offered\", epoch = epoch, offers = offers, wire = wire, session = session_id,\n    gateway = gateway, offered_at = at, updated_at = at })\n  if job.state == \"parked\" then redis.call(\"ZREM\", parked_of(job.pool), job_id) end\n  redis.call(\"ZADD\", session_jobs_of(session_id), \"+inf\", reservation(job_id, epoch))\n  set_timer(\"job|\" .. job_id, deadline)\n  place(session_id)\n  local order = job.order == \"\" and {} or redis.call(\"HGETALL\", order_of(job.order))\n  return { \"offered\", deadline, flat, order, cjson.encode(considered) }\nend\n\nlocal waiting = redis.call(\"ZRANGE\", parked_of(pool), 0, heads - 1)\nif #waiting == 0 then return { \"empty\" } end\nif redis.call(\"ZCARD\", pool_of(pool)) == 0 then return { \"no_room\" } end\nfor _, id in ipairs(waiting) do\n  local record, flat = read_hash(job_of(id))\n  if record and is_waiting(record) and now < tonumber(record.wait_until) then\n    local chosen, gateway, considered = pick(record, scan)\n    if chosen then return offer(id, record, flat, chosen, gateway, now + offer_ms, considered) end\n  end\nend\nreturn { \"no_room\" }\n",
};

const serveShape = {
  offered: [["deadline", "int"], ["job", "hash"], ["order", "hash"], ["considered", "json"]],
  no_room: [],
  empty: [],
} as const satisfies ReplyShape;

async function serve(redis: RedisClient, args: ServeArgs): Promise<ServeReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}pools`, `${tag}deadlines`, `${tag}gateways`];
  const values = [args.pool, args.offerMs, args.scan, args.heads, args.nowMs ?? ""];
  return parseReply<ServeReply>("serve", await runScript(redis, serveScript, keys, values), serveShape);
}

/**
 * simulate-job: a worker asked for a job of its own (SimulateJobRequest): no order, and only that session may take it.
 * Needs no look at the index: a namespace with a session does not rest.
 */
export interface SimulateJobArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** The session that asked. */
  session: string;
  /** Room name. */
  room: string;
  /** Job type: publisher when a participant was given, else room. */
  type: string;
  /** Room message, base64. */
  roomInfo: string;
  /** ParticipantInfo message, base64; empty when none. */
  participantInfo: string;
  /** How long the job is kept after it ended. */
  retainMs: number;
  /** After this time the job is tried if nobody did. */
  guardMs: number;
  /** How long it may wait for its session. */
  waitMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type SimulateJobReply =
  | { status: "created" }
  | { status: "exists" }
  | { status: "unknown_session" };

const simulateJobScript: Script = {
  name: "simulate-job",
  sha: "3bff5b507c31d3dcf78a003804e252c90dbb118e",
  keyCount: 4,
  source: "local job_key = KEYS[1]\nlocal session_key = KEYS[2]\nlocal deadlines_key = KEYS[3]\nlocal jobs_key = KEYS[4]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal job = ARGV[1]\nlocal session = ARGV[2]\nlocal room = ARGV[3]\nlocal type = ARGV[4]\nlocal room_info = ARGV[5]\nlocal participant_info = ARGV[6]\nlocal retain_ms = tonumber(ARGV[7])\nlocal guard_ms = tonumber(ARGV[8])\nlocal wait_ms = tonumber(ARGV[9])\nlocal now = tonumber(ARGV[10])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- `job` gives what is particular to it: order, room, type, pool, room_sid, room_info, participant_info, only, priority.\n-- Numbers go as text, as Redis writes one that comes from Lua anew for each field.\nlocal function queue_job(id, job, retain_ms, guard_ms, wait_ms)\n  local at = string.format(\"%.0f\", now)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"epoch\", \"0\", \"order\", job.order, \"pool\", job.pool,\n    \"wire\", id, \"gateway\", \"\", \"id\", id, \"outcome\", \"\", \"cause\", \"\", \"error\", \"\", \"offers\", \"0\", \"attempts\", \"0\",\n    \"rounds\", \"0\", \"refused_epoch\", \"0\", \"type\", job.type, \"room\", job.room, \"room_sid\", job.room_sid,\n    \"room_info\", job.room_info, \"participant_info\", job.participant_info, \"only\", job.only, \"excluded\", \"\",\n    \"agent_identity\", \"\", \"priority\", job.priority, \"created_at\", at, \"updated_at\", at, \"offered_at\", \"0\",\n    \"started_at\", \"0\", \"running_at\", \"0\", \"orphaned_at\", \"0\", \"ended_at\", \"0\",\n    \"wait_until\", now + wait_ms, \"retain_ms\", retain_ms)\n  redis.call(\"ZADD\", jobs_key, at, id)\n  set_timer(\"job|\" .. id, now + guard_ms)\nend\n\nif redis.call(\"EXISTS\", job_key) == 1 then return { \"exists\" } end\nlocal pool = redis.call(\"HGET\", session_key, \"pool\")\nif not pool then return { \"unknown_session\" } end\nqueue_job(job, { order = \"\", room = room, type = type, pool = pool, room_sid = \"\", room_info = room_info,\n  participant_info = participant_info, only = session, priority = 0 }, retain_ms, guard_ms, wait_ms)\nreturn { \"created\" }\n",
};

const simulateJobShape = {
  created: [],
  exists: [],
  unknown_session: [],
} as const satisfies ReplyShape;

async function simulateJob(redis: RedisClient, args: SimulateJobArgs): Promise<SimulateJobReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}session:${args.session}`, `${tag}deadlines`, `${tag}jobs`];
  const values = [args.job, args.session, args.room, args.type, args.roomInfo, args.participantInfo, args.retainMs, args.guardMs, args.waitMs, args.nowMs ?? ""];
  return parseReply<SimulateJobReply>("simulate-job", await runScript(redis, simulateJobScript, keys, values), simulateJobShape);
}

/**
 * sweep-ended: forgets jobs and orders whose time of keeping is over, and says how many.
 */
export interface SweepEndedArgs {
  namespace: string;
  /** How long ended things are kept. */
  retainMs: number;
  /** Jobs, and orders, forgotten in one call, at most. */
  limit: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type SweepEndedReply =
  | { status: "swept"; jobs: number; orders: number; more: number };

const sweepEndedScript: Script = {
  name: "sweep-ended",
  sha: "40eb467368f2bb88e5818cd865920acf630a165e",
  keyCount: 3,
  source: "local deadlines_key = KEYS[1]\nlocal ended_jobs_key = KEYS[2]\nlocal ended_orders_key = KEYS[3]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function room_orders_of(id) return tag .. \"room-orders:\" .. id end\nlocal retain_ms = tonumber(ARGV[1])\nlocal limit = tonumber(ARGV[2])\nlocal now = tonumber(ARGV[3])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\nlocal before = now - retain_ms\nlocal jobs = redis.call(\"ZRANGEBYSCORE\", ended_jobs_key, \"-inf\", before, \"LIMIT\", 0, limit)\nlocal orders = redis.call(\"ZRANGEBYSCORE\", ended_orders_key, \"-inf\", before, \"LIMIT\", 0, limit)\nfor _, id in ipairs(jobs) do\n  local order = redis.call(\"HGET\", job_of(id), \"order\")\n  -- An order that stays open outlives its jobs.\n  if order and order ~= \"\" then redis.call(\"ZREM\", order_jobs_of(order), id) end\n  redis.call(\"DEL\", job_of(id))\n  redis.call(\"ZREM\", ended_jobs_key, id)\nend\nfor _, id in ipairs(orders) do\n  local room = redis.call(\"HGET\", order_of(id), \"room\")\n  if room then redis.call(\"ZREM\", room_orders_of(room), id) end\n  redis.call(\"DEL\", order_of(id), order_jobs_of(id))\n  redis.call(\"ZREM\", ended_orders_key, id)\nend\n\n-- The timer goes to when the oldest of what is left is due, or away with the last of it.\nlocal oldest = nil\nfor _, key in ipairs({ ended_jobs_key, ended_orders_key }) do\n  local first = redis.call(\"ZRANGE\", key, 0, 0, \"WITHSCORES\")[2]\n  if first and (not oldest or tonumber(first) < oldest) then oldest = tonumber(first) end\nend\nif oldest then\n  redis.call(\"ZADD\", deadlines_key, oldest + retain_ms, \"sweep\")\nelse\n  redis.call(\"ZREM\", deadlines_key, \"sweep\")\nend\nreturn { \"swept\", #jobs, #orders, oldest and oldest <= before and 1 or 0 }\n",
};

const sweepEndedShape = {
  swept: [["jobs", "int"], ["orders", "int"], ["more", "int"]],
} as const satisfies ReplyShape;

async function sweepEnded(redis: RedisClient, args: SweepEndedArgs): Promise<SweepEndedReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}deadlines`, `${tag}ended-jobs`, `${tag}ended-orders`];
  const values = [args.retainMs, args.limit, args.nowMs ?? ""];
  return parseReply<SweepEndedReply>("sweep-ended", await runScript(redis, sweepEndedScript, keys, values), sweepEndedShape);
}

/**
 * terminate-job: somebody wants the job over. Ends it, and writes down whom to tell, until it was told.
 */
export interface TerminateJobArgs {
  namespace: string;
  /** Job id. */
  job: string;
  /** For people; kept as the job's error. */
  reason: string;
  /** How long the worker's place stays taken when it does not confirm. */
  stopMs: number;
  /** For tests: the time in ms. Absent: Redis TIME. */
  nowMs?: number;
}

export type TerminateJobReply =
  | { status: "terminated"; stop: shapes.Stop|null; serve: string }
  | { status: "final"; outcome: string }
  | { status: "unknown" };

const terminateJobScript: Script = {
  name: "terminate-job",
  sha: "469f667bfe134126b555a8086f25099620883824",
  keyCount: 7,
  source: "local job_key = KEYS[1]\nlocal deadlines_key = KEYS[2]\nlocal jobs_key = KEYS[3]\nlocal ended_jobs_key = KEYS[4]\nlocal orders_key = KEYS[5]\nlocal ended_orders_key = KEYS[6]\nlocal stops_key = KEYS[7]\nlocal tag = string.match(KEYS[1], \"^.-}:\")\nlocal function session_of(id) return tag .. \"session:\" .. id end\nlocal function session_jobs_of(id) return tag .. \"session-jobs:\" .. id end\nlocal function pool_of(id) return tag .. \"pool:\" .. id end\nlocal function job_of(id) return tag .. \"job:\" .. id end\nlocal function parked_of(id) return tag .. \"parked:\" .. id end\nlocal function order_of(id) return tag .. \"order:\" .. id end\nlocal function order_jobs_of(id) return tag .. \"order-jobs:\" .. id end\nlocal function gateway_stops_of(id) return tag .. \"gateway-stops:\" .. id end\nlocal job = ARGV[1]\nlocal reason = ARGV[2]\nlocal stop_ms = tonumber(ARGV[3])\nlocal now = tonumber(ARGV[4])\nif not now then local t = redis.call(\"TIME\") now = t[1] * 1000 + math.floor(t[2] / 1000) end\nredis.call(\"EXISTS\", tag .. \"none\", tag .. \"none-either\")\n\n-- The hash as a table, and as Redis gave it; nil when there is none.\nlocal function read_hash(key)\n  local flat = redis.call(\"HGETALL\", key)\n  if #flat == 0 then return nil, flat end\n  local record = {}\n  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end\n  return record, flat\nend\n\n-- cjson writes an empty table as {}; a list of nothing is [].\nlocal function encode_list(list)\n  if #list == 0 then return \"[]\" end\n  return cjson.encode(list)\nend\n\n-- Puts the session where it belongs: in its pool at its projected load, or out of it. True when it is in; and its pool.\n-- Reservations and held jobs are members of session-jobs, never a counter. Their scores say what the last sample did\n-- not count yet: +inf while the offer is open, then when the worker accepted. What was accepted in the very\n-- millisecond of the sample counts twice until the next one: the other way a burst in that millisecond would be free.\nlocal function place(id)\n  local pool, status, draining, cooling_until, load, cost, max_load, cap, sampled_at = unpack(redis.call(\"HMGET\",\n    session_of(id), \"pool\", \"status\", \"draining\", \"cooling_until\", \"load\", \"cost\", \"max_load\", \"cap\", \"sampled_at\"))\n  if not pool then return false, nil end\n  if status == \"available\" and draining ~= \"1\" and tonumber(cooling_until) <= now then\n    local held = redis.call(\"ZCARD\", session_jobs_of(id))\n    local uncounted = held == 0 and 0 or redis.call(\"ZCOUNT\", session_jobs_of(id), sampled_at, \"+inf\")\n    local projected = math.min(1, tonumber(load) + uncounted * tonumber(cost))\n    local below_cap = cap == \"0\" or held < tonumber(cap)\n    -- Until its first sample a session is taken at load 0, one job at a time.\n    local known = sampled_at ~= \"0\" or held == 0\n    if projected < tonumber(max_load) and below_cap and known then\n      redis.call(\"ZADD\", pool_of(pool), string.format(\"%.6f\", projected), id)\n      return true, pool\n    end\n  end\n  redis.call(\"ZREM\", pool_of(pool), id)\n  return false, pool\nend\n\nlocal function reservation(job_id, epoch)\n  return job_id .. \"#\" .. epoch\nend\n\n-- Gives back what a job holds on its session, and puts the session where it then belongs. True when it has room.\nlocal function release(job_id, job)\n  if job.session == \"\" then return false end\n  redis.call(\"ZREM\", session_jobs_of(job.session), reservation(job_id, job.epoch))\n  return (place(job.session))\nend\n\n-- Rank in the parked set: lower is served first. Priority 0–1000 (higher first) above 42 bits of milliseconds: exact\n-- in a double until the year 2109.\nlocal function rank(job)\n  return (1000 - tonumber(job.priority)) * 4398046511104 + tonumber(job.created_at)\nend\n\nlocal function set_timer(member, due)\n  redis.call(\"ZADD\", deadlines_key, due, member)\nend\n\n-- Parks a job until there is room, or until its next timer: the back-off after somebody refused, or the end of its\n-- waiting time.\nlocal function park(id, job, retry_at)\n  local due = tonumber(job.wait_until)\n  if retry_at and retry_at < due then due = retry_at end\n  redis.call(\"HSET\", job_of(id), \"state\", \"parked\", \"updated_at\", now)\n  redis.call(\"ZADD\", parked_of(job.pool), string.format(\"%.0f\", rank(job)), id)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- Sends a job back to be tried again. The timer finds it should nobody do so at once.\nlocal function requeue(id, due)\n  redis.call(\"HSET\", job_of(id), \"state\", \"queued\", \"session\", \"\", \"gateway\", \"\", \"updated_at\", now)\n  set_timer(\"job|\" .. id, due)\nend\n\n-- The sessions that are not asked again for this job, until its back-off is over.\nlocal function exclude(id, job, session_id)\n  redis.call(\"HSET\", job_of(id), \"excluded\", job.excluded == \"\" and session_id or (job.excluded .. \",\" .. session_id))\nend\n\nlocal function parked_count(pool)\n  return redis.call(\"ZCARD\", parked_of(pool))\nend\n\n-- Ended things are kept for a set time, then swept and counted. One timer a namespace, not one a job.\nlocal function keep_until_swept(retain_ms)\n  redis.call(\"ZADD\", deadlines_key, \"NX\", now + retain_ms, \"sweep\")\nend\n\nlocal function end_order(id, state, retain_ms)\n  redis.call(\"HSET\", order_of(id), \"state\", state, \"ended_at\", now)\n  redis.call(\"ZREM\", orders_key, id)\n  redis.call(\"ZADD\", ended_orders_key, now, id)\n  keep_until_swept(retain_ms)\nend\n\n-- An order whose target is the room has all its jobs from the start: it ends with the last of them.\nlocal function end_order_when_done(id)\n  local state, target, retain = unpack(redis.call(\"HMGET\", order_of(id), \"state\", \"target\", \"retain_ms\"))\n  if state ~= \"live\" or target ~= \"room\" then return end\n  if redis.call(\"ZCOUNT\", order_jobs_of(id), 0, 0) == 0 then end_order(id, \"ended\", tonumber(retain)) end\nend\n\n-- `keep_place` leaves the job's place on its session taken: a worker that was told to stop still runs for a while.\n-- True when a session got room by it. XX: the order may have been forgotten, and must not come back as a set alone.\nlocal function end_job(job_id, job, outcome, cause, message, keep_place)\n  redis.call(\"HSET\", job_of(job_id), \"state\", \"ended\", \"outcome\", outcome, \"cause\", cause, \"error\", message,\n    \"ended_at\", now, \"updated_at\", now)\n  redis.call(\"ZREM\", jobs_key, job_id)\n  redis.call(\"ZADD\", ended_jobs_key, now, job_id)\n  redis.call(\"ZREM\", deadlines_key, \"job|\" .. job_id)\n  redis.call(\"ZREM\", parked_of(job.pool), job_id)\n  if job.order ~= \"\" then\n    redis.call(\"ZADD\", order_jobs_of(job.order), \"XX\", now, job_id)\n    end_order_when_done(job.order)\n  end\n  keep_until_swept(tonumber(job.retain_ms))\n  if keep_place then return false end\n  return release(job_id, job)\nend\n\nlocal function stop_field(session_id, wire)\n  return session_id .. \"|\" .. wire\nend\n\n-- The place on the session stays taken until the worker can have stopped: confirmed, gone, or `until_ms`. Answers the\n-- stop to deliver.\nlocal function add_stop(job_id, job, reason, until_ms)\n  local field = stop_field(job.session, job.wire)\n  local stop = { job = job_id, session = job.session, gateway = job.gateway, wire = job.wire,\n    epoch = tonumber(job.epoch), reason = reason }\n  redis.call(\"HSET\", stops_key, field, cjson.encode(stop))\n  redis.call(\"SADD\", gateway_stops_of(job.gateway), field)\n  set_timer(\"stop|\" .. field, until_ms)\n  return stop\nend\n\n-- Takes a stop back and frees the place that it held. Returns the pool when that made room there.\nlocal function finish_stop(field)\n  local stop = cjson.decode(redis.call(\"HGET\", stops_key, field))\n  redis.call(\"HDEL\", stops_key, field)\n  redis.call(\"SREM\", gateway_stops_of(stop.gateway), field)\n  redis.call(\"ZREM\", deadlines_key, \"stop|\" .. field)\n  redis.call(\"ZREM\", session_jobs_of(stop.session), reservation(stop.job, stop.epoch))\n  local has_room, pool = place(stop.session)\n  return has_room and pool or nil\nend\n\n-- Ends a live job on somebody's word. Returns the stop to deliver, when a worker holds it; and whether that made room.\nlocal function terminate_job(job_id, job, cause, reason, until_ms)\n  local held = job.state == \"starting\" or job.state == \"running\"\n  local stop = held and add_stop(job_id, job, reason, until_ms) or nil\n  return stop, end_job(job_id, job, \"canceled\", cause, reason, held)\nend\n\n-- The pool to serve, \"\" for none: exactly those scripts that made room say so, and only when a job waits there.\nlocal function to_serve(pool, got_room)\n  if got_room and pool and parked_count(pool) > 0 then return pool end\n  return \"\"\nend\n\n-- The same for scripts that make room in several: adds the pool to the list once.\nlocal function also_serve(serve, pool, got_room)\n  if to_serve(pool, got_room) == \"\" then return end\n  for _, listed in ipairs(serve) do if listed == pool then return end end\n  serve[#serve + 1] = pool\nend\n\nlocal record = read_hash(job_key)\nif not record then return { \"unknown\" } end\nif record.state == \"ended\" then return { \"final\", record.outcome } end\nlocal stop, got_room = terminate_job(job, record, \"terminated\", reason, now + stop_ms)\nreturn { \"terminated\", stop and cjson.encode(stop) or \"null\", to_serve(record.pool, got_room) }\n",
};

const terminateJobShape = {
  terminated: [["stop", "json"], ["serve", "string"]],
  final: [["outcome", "string"]],
  unknown: [],
} as const satisfies ReplyShape;

async function terminateJob(redis: RedisClient, args: TerminateJobArgs): Promise<TerminateJobReply> {
  const tag = namespaceTag(args.namespace);
  const keys = [`${tag}job:${args.job}`, `${tag}deadlines`, `${tag}jobs`, `${tag}ended-jobs`, `${tag}orders`, `${tag}ended-orders`, `${tag}stops`];
  const values = [args.job, args.reason, args.stopMs, args.nowMs ?? ""];
  return parseReply<TerminateJobReply>("terminate-job", await runScript(redis, terminateJobScript, keys, values), terminateJobShape);
}

export interface BoundScripts {
  accept(args: AcceptArgs): Promise<AcceptReply>;
  admit(args: AdmitArgs): Promise<AdmitReply>;
  assertGateway(args: AssertGatewayArgs): Promise<AssertGatewayReply>;
  createOrder(args: CreateOrderArgs): Promise<CreateOrderReply>;
  deleteOrder(args: DeleteOrderArgs): Promise<DeleteOrderReply>;
  deregisterSession(args: DeregisterSessionArgs): Promise<DeregisterSessionReply>;
  endJob(args: EndJobArgs): Promise<EndJobReply>;
  enterOrder(args: EnterOrderArgs): Promise<EnterOrderReply>;
  expireGateway(args: ExpireGatewayArgs): Promise<ExpireGatewayReply>;
  expireJob(args: ExpireJobArgs): Promise<ExpireJobReply>;
  expireSession(args: ExpireSessionArgs): Promise<ExpireSessionReply>;
  expireStop(args: ExpireStopArgs): Promise<ExpireStopReply>;
  findOrder(args: FindOrderArgs): Promise<FindOrderReply>;
  listAgent(args: ListAgentArgs): Promise<ListAgentReply>;
  listDue(args: ListDueArgs): Promise<ListDueReply>;
  listRecords(args: ListRecordsArgs): Promise<ListRecordsReply>;
  listRoomOrders(args: ListRoomOrdersArgs): Promise<ListRoomOrdersReply>;
  readRecord(args: ReadRecordArgs): Promise<ReadRecordReply>;
  registerSession(args: RegisterSessionArgs): Promise<RegisterSessionReply>;
  reject(args: RejectArgs): Promise<RejectReply>;
  rememberAgent(args: RememberAgentArgs): Promise<RememberAgentReply>;
  report(args: ReportArgs): Promise<ReportReply>;
  rest(args: RestArgs): Promise<RestReply>;
  sampleSessions(args: SampleSessionsArgs): Promise<SampleSessionsReply>;
  seen(args: SeenArgs): Promise<SeenReply>;
  serve(args: ServeArgs): Promise<ServeReply>;
  simulateJob(args: SimulateJobArgs): Promise<SimulateJobReply>;
  sweepEnded(args: SweepEndedArgs): Promise<SweepEndedReply>;
  terminateJob(args: TerminateJobArgs): Promise<TerminateJobReply>;
}

export function bindScripts(redis: RedisClient): BoundScripts {
  return {
    accept: (args) => accept(redis, args),
    admit: (args) => admit(redis, args),
    assertGateway: (args) => assertGateway(redis, args),
    createOrder: (args) => createOrder(redis, args),
    deleteOrder: (args) => deleteOrder(redis, args),
    deregisterSession: (args) => deregisterSession(redis, args),
    endJob: (args) => endJob(redis, args),
    enterOrder: (args) => enterOrder(redis, args),
    expireGateway: (args) => expireGateway(redis, args),
    expireJob: (args) => expireJob(redis, args),
    expireSession: (args) => expireSession(redis, args),
    expireStop: (args) => expireStop(redis, args),
    findOrder: (args) => findOrder(redis, args),
    listAgent: (args) => listAgent(redis, args),
    listDue: (args) => listDue(redis, args),
    listRecords: (args) => listRecords(redis, args),
    listRoomOrders: (args) => listRoomOrders(redis, args),
    readRecord: (args) => readRecord(redis, args),
    registerSession: (args) => registerSession(redis, args),
    reject: (args) => reject(redis, args),
    rememberAgent: (args) => rememberAgent(redis, args),
    report: (args) => report(redis, args),
    rest: (args) => rest(redis, args),
    sampleSessions: (args) => sampleSessions(redis, args),
    seen: (args) => seen(redis, args),
    serve: (args) => serve(redis, args),
    simulateJob: (args) => simulateJob(redis, args),
    sweepEnded: (args) => sweepEnded(redis, args),
    terminateJob: (args) => terminateJob(redis, args),
  };
}
