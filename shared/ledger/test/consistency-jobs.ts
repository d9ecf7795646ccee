/**
 * Owns what must agree about jobs: their state, the lists, timers and line they stand in, and the place they hold.
 */
import { wireId } from "@muster/domain/ids";
import { JOB_STATES } from "@muster/domain/job";
import type { Hash, Snapshot } from "./snapshot.js";

interface Step {
  pool: string;
  after_ms: number;
}

const RANK_STEP = 2 ** 42;
/** What a job that does not keep the field has. */
const ABSENT = { session: "", gateway: "", order: "", outcome: "", epoch: "0", offers: "0", priority: "0" };
const WAITING = ["queued", "parked"];
/** That are over, with the count of those left out. */
const MOST_ATTEMPTS = 20;
const PLACED = ["offered", "starting", "running", "orphaned"];

export function jobProblems(snapshot: Snapshot, nowMs: number): string[] {
  const { hashes, zsets, sets, lists } = snapshot;
  const found: string[] = [];
  for (const [key, entries] of lists) {
    if (!hashes.has(key.replace(/^attempts:/, "job:"))) found.push(`${key} outlived its job`);
    if (entries.length > MOST_ATTEMPTS) found.push(`${key} has ${entries.length} entries`);
  }
  for (const [key, members] of sets) {
    if (!key.startsWith("orphans:")) continue;
    for (const id of members) if (!hashes.has(`job:${id}`)) found.push(`${key} lists ${id}, which is gone`);
  }
  for (const [key, job] of hashes) {
    if (key.startsWith("job:")) found.push(...oneJob(key.slice("job:".length), job, snapshot, nowMs));
  }
  for (const member of zsets.get("held")?.keys() ?? []) {
    if (!hashes.has(`job:${member.replace(/^[^|]*\|/, "")}`))
      found.push(`held lists ${member}, which is gone`);
  }
  for (const [key, members] of zsets) {
    const isList = key === "jobs" || key === "ended-jobs" || key.startsWith("parked:");
    if (!isList) continue;
    for (const id of members.keys()) {
      const job = hashes.get(`job:${id}`);
      if (job === undefined) found.push(`${key} lists ${id}, which is gone`);
      else if (key.startsWith("parked:") && key !== `parked:${job.pool}`) found.push(`${id} is in ${key}`);
    }
  }
  return found;
}

function oneJob(id: string, kept: Hash, { hashes, zsets, sets }: Snapshot, nowMs: number): string[] {
  const job: Hash = { ...ABSENT, ...kept };
  const found: string[] = [];
  const state = job.state ?? "";
  const check = (what: string, expected: unknown, actual: unknown) => {
    if (expected !== actual)
      found.push(`${id} (${state}): ${what} is ${String(actual)}, not ${String(expected)}`);
  };
  const isIn = (key: string, member = id) => zsets.get(key)?.has(member) ?? false;
  const isEnded = state === "ended";
  check("known state", true, (JOB_STATES as readonly string[]).includes(state));
  check("id", id, job.id);
  check("listed in jobs", !isEnded, isIn("jobs"));
  check("listed in ended-jobs", isEnded, isIn("ended-jobs"));
  check("has an outcome", isEnded, job.outcome !== "");
  const awaitsReport = job.left_at !== undefined;
  const hasTimer = zsets.get("deadlines")?.has(`job|${id}`) ?? false;
  // Whose agent was not seen may be asked about.
  const mayHaveOne = state === "running" && kept.participant_sid === undefined && hasTimer;
  check("timer", !isEnded && (state !== "running" || awaitsReport || mayHaveOne), hasTimer);
  check("wire id", wireId(id, Number(job.offers)), job.wire);

  for (const [key, members] of sets) {
    const isListed = state === "orphaned" && key === `orphans:${job.pool}`;
    if (key.startsWith("orphans:")) check(`listed in ${key}`, isListed, members.has(id));
  }
  if (state === "orphaned") {
    check("listed as orphan", true, sets.get(`orphans:${job.pool}`)?.has(id) ?? false);
    check("knows its grace", true, Number(job.grace_until) >= Number(job.orphaned_at));
  }
  // Its back-off has not ended: nothing has tried it, and its timer waits for just that.
  if (Number(job.not_before ?? 0) > nowMs && WAITING.includes(state) && job.held !== "1") {
    check("state in back-off", "queued", state);
    const due = Math.min(Number(job.not_before), Number(job.alone_until ?? Number.POSITIVE_INFINITY));
    check("timer of the back-off", due, zsets.get("deadlines")?.get(`job|${id}`));
  }

  if (state === "parked" && job.held !== "1" && job.alone_until !== undefined) {
    const due = zsets.get("deadlines")?.get(`job|${id}`) ?? Number.POSITIVE_INFINITY;
    check("timer not behind its wait for callers who left", true, due <= Number(job.alone_until));
  }

  for (const field of ["room_info", "participant_info"])
    if (job[`${field}_at`] !== undefined)
      check(`${field} that its time is of`, true, job[field] !== undefined);
  const order = hashes.get(`order:${job.order}`);
  const sides = [job.split_stable, job.split_candidate].filter((pool) => pool !== undefined);
  check("knows its sides", job.split_state === undefined ? 0 : 2, sides.length);
  const steps = JSON.parse(order?.fallback ?? "[]") as Step[];
  const step = Number(job.fallback_step ?? 0);
  if (steps.length > 0) {
    const asked = [`${job.type}/${steps[step]?.pool}`, ...(step === 0 ? sides : [])];
    check("in a pool of its step", true, asked.includes(job.pool ?? ""));
    check("what its next step waits for", steps[step + 1]?.after_ms ?? 0, Number(job.fallback_after ?? 0));
  }

  const place = Number(job.suspect_at ?? 0) > 0 ? 1001 : 1000 - Number(job.priority);
  const rank = place * RANK_STEP + Number(job.created_at);
  const isHeld = job.held === "1";
  check(
    "rank in line",
    state === "parked" && !isHeld ? rank : undefined,
    zsets.get(`parked:${job.pool}`)?.get(id),
  );

  check("listed as held", isHeld, isIn("held", `${job.order}|${id}`));
  if (isHeld) check("state on hold", "parked", state);
  if (state === "parked" && order !== undefined) check("held with its order", order.held === "1", isHeld);

  // Of the attempt that goes on: it found nobody, or somebody has the job. Between two there is nothing of either.
  const attempt = { parked: job.parked_at !== undefined, returned: job.returned_at !== undefined };
  if (job.considered !== undefined && WAITING.includes(state))
    check("attempt is that of a wait", true, attempt.parked);
  if (WAITING.includes(state)) check("attempt is that of a return", false, attempt.returned);
  if (PLACED.includes(state)) check("attempt is that of a wait", false, attempt.parked);

  if (WAITING.includes(state)) check("holder", "|", `${job.session}|${job.gateway}`);
  // Its worker reported an end that is doubted: it needs no place, and no worker, any more.
  if (job.reported !== undefined && PLACED.includes(state)) {
    check("state while it is doubted", "running", state);
    const place = zsets.get(`session-jobs:${job.session}`)?.has(`${id}#${job.epoch}`) ?? false;
    check("place held", false, place);
  } else if (PLACED.includes(state)) {
    const score = zsets.get(`session-jobs:${job.session}`)?.get(`${id}#${job.epoch}`);
    check("place held", true, score !== undefined);
    check("counted as open offer", state === "offered", score === Infinity);
    const session = hashes.get(`session:${job.session}`);
    if (state !== "orphaned") check("holder's gateway", session?.gateway, job.gateway);
    if (state !== "orphaned") check("holder's pool", session?.pool, job.pool);
    if (state !== "orphaned") check("holder lives", true, session !== undefined);
  }
  if (job.order !== "" && hashes.has(`order:${job.order}`)) {
    check(
      "score in order-jobs",
      isEnded ? Number(job.ended_at) : 0,
      zsets.get(`order-jobs:${job.order}`)?.get(id),
    );
  }
  return found;
}
