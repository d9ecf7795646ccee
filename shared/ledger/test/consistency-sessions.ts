/**
 * Owns what must agree about sessions: who is in a pool and at which load (the rule of placement, written a second time
 * here on purpose), what takes their places, and who has still to be told to stop.
 */
import type { PlacementPolicy } from "@muster/ledger/shapes";
import type { Hash, Snapshot } from "./snapshot.js";

export function sessionProblems(snapshot: Snapshot, nowMs: number): string[] {
  const { hashes, zsets, sets } = snapshot;
  const found: string[] = [];
  const sessions = [...hashes].filter(([key]) => key.startsWith("session:"));
  for (const [key, session] of sessions) {
    const id = key.slice("session:".length);
    found.push(...oneSession(id, session, snapshot, nowMs));
  }
  for (const [key, members] of zsets) {
    if (key.startsWith("session-jobs:")) found.push(...placeProblems(key, [...members.keys()], snapshot));
    if (key !== "sessions" && !/^(pool|pool-sessions|reserved):/.test(key)) continue;
    for (const id of members.keys()) {
      const session = hashes.get(`session:${id}`);
      if (session === undefined) found.push(`${key} lists ${id}, which is gone`);
      else if (key !== "sessions" && !belongsTo(key, session)) found.push(`${id} is in ${key}`);
    }
  }
  for (const [key, members] of sets) {
    if (!key.startsWith("gateway-sessions:")) continue;
    for (const id of members)
      if (!hashes.has(`session:${id}`)) found.push(`${key} lists ${id}, which is gone`);
  }
  return [...found, ...stopProblems(snapshot)];
}

/** Whether this is a set of its pool, or of those of it with one of its labels. */
function belongsTo(key: string, session: Hash): boolean {
  const [name = "", label] = key.slice(key.indexOf(":") + 1).split("|");
  return name === session.pool && (label === undefined || (session.labels ?? "").split(";").includes(label));
}

function oneSession(id: string, session: Hash, snapshot: Snapshot, nowMs: number): string[] {
  const { hashes, zsets, sets } = snapshot;
  const found: string[] = [];
  const lease = zsets.get("gateways")?.get(session.gateway ?? "");
  for (const list of ["sessions", `pool-sessions:${session.pool}`])
    if (!zsets.get(list)?.has(id)) found.push(`${id} is not listed in ${list}`);
  if (!sets.get(`gateway-sessions:${session.gateway}`)?.has(id))
    found.push(`${id} is not listed at its gateway`);
  if (lease === undefined) found.push(`${id} has a gateway without a lease`);
  // Later than the lease while a gap of ours is waited out.
  const leaseTimer = zsets.get("deadlines")?.get(`gateway|${session.gateway}`);
  if (leaseTimer === undefined || leaseTimer < (lease ?? 0)) found.push(`${session.gateway}: no timer`);
  const timer = zsets.get("deadlines")?.get(`session|${id}`);
  const closedUntil = Math.max(Number(session.cooling_until), Number(session.entering_until ?? 0));
  if (closedUntil > nowMs && timer !== closedUntil)
    found.push(`${id} is not told when it may be asked again`);
  found.push(...healthProblems(id, session, { hashes, zsets }, timer));
  if (zsets.get(`losses:${session.pool}|${session.api_key}`)?.has(id))
    found.push(`${id} is there and counts as lost`);
  // Over, and its timer not looked at yet: in or out, both are right.
  if (timer !== undefined && timer <= nowMs) return found;
  const givenAt = [...(zsets.get(`session-jobs:${id}`)?.values() ?? [])];
  const policy = policyOf(hashes.get("placement"), session.pool ?? "");
  const expected = placement(session, givenAt, nowMs, policy);
  const labels = (session.labels ?? "").split(";").filter((label) => label !== "");
  for (const name of [session.pool, ...labels.map((label) => `${session.pool}|${label}`)]) {
    for (const room of ["pool", "reserved"] as const) {
      const actual = zsets.get(`${room}:${name}`)?.get(id);
      const right = expected?.room === room ? expected.load : undefined;
      if (actual !== right) found.push(`${id} stands in ${room}:${name} at ${actual}, should at ${right}`);
    }
  }
  return found;
}

const STRIKES = /^(struck|ejections|why|failed_at)$/;

/** Ejected until its timer was looked at; then on probation until nothing is held against it, and looked at while it may be. */
function healthProblems(
  id: string,
  session: Hash,
  { hashes, zsets }: Pick<Snapshot, "hashes" | "zsets">,
  timer: number | undefined,
): string[] {
  const found: string[] = [];
  const { health, pool, ejected_at: ejectedAt } = session;
  const listed = zsets.get(`ejected:${pool}`)?.get(id);
  if (listed !== (health === "ejected" ? Number(session.cooling_until) : undefined))
    found.push(`${id} is ${health ?? "well"}, ejected:${pool} has it at ${listed}`);
  if ((health === undefined) !== (ejectedAt === undefined))
    found.push(`${id} is ${health ?? "well"} and was ejected at ${ejectedAt}`);
  const counted = Object.keys(session).filter((field) => STRIKES.test(field));
  if (health !== undefined && !counted.includes("ejections")) found.push(`${id} was ejected no times`);
  const given = [...(zsets.get(`session-jobs:${id}`) ?? [])];
  const isShown = given.some(([place, at]) => {
    const [job = "", epoch] = place.split("#");
    const kept = hashes.get(`job:${job}`);
    const isHeld =
      kept?.session === id && kept.epoch === epoch && /^(starting|running)$/.test(kept.state ?? "");
    return isHeld && Number.isFinite(at) && at >= Number(ejectedAt ?? Number.NaN);
  });
  if (isShown && timer === undefined) found.push(`${id}: nobody looks at its job of the probation`);
  return found;
}

/** What was set for the pool's agent, or else for all of the namespace. */
export function policyOf(policies: Hash | undefined, pool: string): PlacementPolicy {
  const text = policies?.[`agent:${pool.split("/")[1] ?? ""}`] ?? policies?.namespace;
  return text === undefined ? {} : (JSON.parse(text) as PlacementPolicy);
}

/** Among whom a session belongs, and at which projected load; undefined when it has no room. */
export function placement(session: Hash, givenAt: readonly number[], nowMs: number, policy: PlacementPolicy) {
  const sampledAt = Number(session.sampled_at);
  const uncounted = givenAt.filter((at) => at >= sampledAt).length;
  const cost = Number(session.learnt_cost ?? policy.job_load ?? session.cost);
  const load = Math.min(1, Number(session.load) + uncounted * cost);
  const isOpen =
    session.status === "available" &&
    session.draining === "0" &&
    session.drained === undefined &&
    Number(session.cooling_until) <= nowMs &&
    Number(session.entering_until ?? 0) <= nowMs;
  const isKnown = sampledAt > 0 || uncounted === 0;
  // On probation: one place of those given since its ejection.
  const isTried = givenAt.some((at) => at >= Number(session.ejected_at ?? Number.NaN));
  if (!isOpen || !isKnown || isTried) return undefined;
  const jobs = givenAt.length + Number(session.surplus ?? 0);
  const mostJobs = (policy.max_jobs ?? Number(session.cap)) || Number.POSITIVE_INFINITY;
  const mostLoad = policy.max_load ?? Number(session.max_load);
  if (jobs >= mostJobs || load >= mostLoad) return undefined;
  const isReserved =
    jobs >= mostJobs - (policy.reserved_jobs ?? 0) || load >= mostLoad - (policy.reserved_load ?? 0);
  const isWeighed = session.load_floor !== undefined && policy.strategy !== "pack";
  const floor = isWeighed ? Number(session.load_floor) + uncounted * Number(session.floor_cost) : 0;
  const rank = Math.min(1, Math.max(load, floor));
  return { room: isReserved ? ("reserved" as const) : ("pool" as const), load: Number(rank.toFixed(6)) };
}

function placeProblems(key: string, members: string[], { hashes }: Snapshot): string[] {
  const session = key.slice("session-jobs:".length);
  const stops = Object.values(hashes.get("stops") ?? {}).map(
    (stop) => JSON.parse(stop) as { job: string; session: string; epoch: string },
  );
  return members.flatMap((member) => {
    const [id = "", epoch = ""] = member.split("#");
    const job = hashes.get(`job:${id}`);
    const isHeld = job?.session === session && job.epoch === epoch && job.state !== "ended";
    const isStopped = stops.some(
      (stop) => stop.session === session && stop.job === id && stop.epoch === epoch,
    );
    return isHeld === isStopped
      ? [`${member} on ${session}: held ${isHeld}, to be stopped ${isStopped}`]
      : [];
  });
}

/** Of a job that nobody holds: its former agent is looked for, and nobody told. */
function isOfNobody({ session, ends_at }: { session: string; ends_at?: number }): boolean {
  return session === "" && ends_at !== undefined;
}

function stopProblems({ hashes, zsets, sets }: Snapshot): string[] {
  const stops = hashes.get("stops") ?? {};
  const found = Object.entries(stops).flatMap(([field, text]) => {
    const stop = JSON.parse(text) as {
      job: string;
      session: string;
      gateway: string;
      wire: string;
      epoch: string;
      ends_at?: number;
    };
    return [
      ...(field === `${stop.session}|${stop.wire}`
        ? []
        : [`stop ${field} is of ${stop.session}|${stop.wire}`]),
      ...(zsets.get("deadlines")?.has(`stop|${field}`) ? [] : [`stop ${field} has no end`]),
      ...((zsets.get("deadlines")?.get(`stop|${field}`) ?? 0) <= (stop.ends_at ?? Number.POSITIVE_INFINITY)
        ? []
        : [`stop ${field} outlives the time that its worker has`]),
      ...(isOfNobody(stop) || sets.get(`gateway-stops:${stop.gateway}`)?.has(field)
        ? []
        : [`stop ${field} is told by no gateway`]),
      ...(isOfNobody(stop) || zsets.get(`session-jobs:${stop.session}`)?.has(`${stop.job}#${stop.epoch}`)
        ? []
        : [`${field} has no place`]),
    ];
  });
  for (const [key, fields] of sets) {
    if (!key.startsWith("gateway-stops:")) continue;
    for (const field of fields)
      if (stops[field] === undefined) found.push(`${key} lists ${field}, which is gone`);
  }
  return found;
}
