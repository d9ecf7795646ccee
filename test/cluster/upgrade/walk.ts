/**
 * The walk: all services of an earlier build, replaced one by one by this checkout's, then back again, under a load that
 * never waits. Owns the order of the steps, which passes through each pair of kinds with the one old and the other new,
 * both ways; and the account at the end. What a violation is, is judged as in the siege.
 */
import { DEFAULT_MAX_ATTEMPTS } from "@muster/domain/job";
import type { SimulatedWorker } from "../../kit/simulated-worker.js";
import { waitUntil } from "../../kit/wait-until.js";
import { Cluster } from "../harness.js";
import type { JobFate } from "../invariants.js";
import { Adoptions } from "../siege/adoptions.js";
import { type AgentKind, agentOf, KINDS } from "../siege/agents.js";
import { Crew } from "../siege/crew.js";
import { Orders } from "../siege/orders.js";
import { type SiegePlan, shortSiege } from "../siege/plan.js";
import { Random } from "../siege/random.js";
import { Recoveries } from "../siege/recoveries.js";
import { outcomesOf } from "../siege/report.js";
import { everyJobEnded, nothingHeld } from "../siege/rest.js";
import { EventDesk } from "./event-desk.js";
import { StandingWork } from "./standing-work.js";
import type { WalkReport } from "./walk-report.js";

/** How a process makes place for the next one. */
type Leave = "stopped" | "killed";
interface Step {
  readonly name: string;
  readonly leave: Leave;
}

/** Each kind as a whole after the other: gateways and dispatchers, then apis, are new beside old ones, and then the reverse. */
const STEPS: readonly Step[] = [
  { name: "gateway-0", leave: "stopped" },
  { name: "gateway-1", leave: "killed" },
  { name: "dispatcher-0", leave: "killed" },
  { name: "dispatcher-1", leave: "stopped" },
  { name: "api-0", leave: "stopped" },
  { name: "api-1", leave: "killed" },
];
const EVENTS_DEADLINE_MS = 20_000;
/** Half of all workers lose their socket with one gateway, which is what this says. */
const EXPECTED = ["so many workers vanished that none of their jobs is resumed without evidence"];

export function walkPlan(seed: number): SiegePlan {
  return { ...shortSiege(seed), workersPerZone: 10, ordersPerSecond: 12, retentionMs: 600_000 };
}

/** `previous`: the folder of the earlier build. */
export async function walk(previous: string, plan: SiegePlan): Promise<WalkReport> {
  const { zones, gateways, dispatchers, apis, retentionMs } = plan;
  const desk = await EventDesk.open();
  const env = { api: { MUSTER_WEBHOOK_URLS: desk.url } };
  const services = { gateways, dispatchers, apis };
  const cluster = await Cluster.start({ ...services, zones, retentionMs, env, checkout: previous });
  try {
    return await walked(cluster, desk, previous, plan);
  } finally {
    await cluster.end();
    await desk.close();
  }
}

async function walked(
  cluster: Cluster,
  desk: EventDesk,
  previous: string,
  plan: SiegePlan,
): Promise<WalkReport> {
  const { zones } = plan;
  const [zone = ""] = zones;
  const random = new Random(plan.seed);
  const orders = new Orders({ cluster, plan, random: random.fork() });
  const recoveries = new Recoveries({ orders, zones });
  const adoptions = new Adoptions({ cluster, recoveries });
  const startsAtMs: number[] = [];
  const watch = (kind: AgentKind, its: string, worker: () => SimulatedWorker | undefined) => ({
    registered(session: string, isReturn: boolean) {
      const known = worker();
      if (isReturn && kind === "python" && known !== undefined) adoptions.returned(known, session, its);
    },
    lost() {},
    offered() {},
    started({ room }: { room: string }) {
      startsAtMs.push(performance.now());
      if (kind === "canary") recoveries.started(room);
    },
    over() {},
  });
  const crew = new Crew({ cluster, plan, random: random.fork(), watch });

  const exits: string[] = [];
  const replaceAll = async (words: string, checkout: string | undefined) => {
    for (const { name, leave } of STEPS) {
      const member = cluster.member(name);
      member.checkout = checkout;
      const sinceMs = performance.now();
      const code = leave === "stopped" ? cluster.stop(name) : cluster.kill(name).then(() => 0);
      // It comes back while work goes on elsewhere, as a supervisor has it.
      const back = code.then(async (exit) => {
        if (exit !== 0) exits.push(`${name} was ${leave} and exited with ${exit}`);
        await cluster.start(name);
      });
      await recoveries.measure(
        `${words}: ${member.kind} ${leave}`,
        leave === "stopped" ? "drain" : "lossInHold",
        sinceMs,
      );
      await back;
    }
  };

  cluster.watch();
  await crew.start();
  orders.start();
  const forUpgrade = new StandingWork(cluster, zone, "before");
  await forUpgrade.begin();
  const beganAtMs = performance.now();
  await replaceAll("upgraded", undefined);
  await forUpgrade.letGo();
  const forRollback = new StandingWork(cluster, zone, "after");
  await forRollback.begin();
  await recoveries.measure("all new", "drain", performance.now());
  await replaceAll("rolled back", previous);
  await forRollback.letGo();
  const endedAtMs = performance.now();

  await crew.settle();
  await orders.settle();
  await settleWith(cluster, zones);
  const lost = await everyJobEnded(cluster);
  await adoptions.settle();
  const { fates } = cluster.invariants;
  lost.push(...forUpgrade.problems, ...forRollback.problems, ...failedTooSoon(fates));
  lost.push(...orders.problems(fates, cluster.witness.succeeded));
  const leaked = await nothingHeld(cluster);
  await waitUntil("all events are told", () => desk.problems(fates.keys()).length === 0, {
    deadlineMs: EVENTS_DEADLINE_MS,
  }).catch(() => {});
  return {
    seed: plan.seed,
    tookMs: endedAtMs - beganAtMs,
    recoveries: [...recoveries.byKind.values()],
    longestPauseMs: longestPause(startsAtMs, beganAtMs, endedAtMs),
    orders: {
      accepted: orders.accepted.size,
      unanswered: orders.unanswered,
      repeatedCalls: cluster.dispatches.counts.repeats,
    },
    outcomes: outcomesOf(fates),
    starts: cluster.witness.counts.starts,
    repeated: cluster.witness.counts.repeated,
    returns: cluster.witness.counts.returns,
    adoptions: adoptions.counts,
    overlaps: cluster.witness.overlaps,
    polls: cluster.invariants.polls,
    deliveries: desk.deliveries,
    violations: [...cluster.invariants.violations, ...exits, ...neverRecovered(recoveries)],
    lost,
    leaked,
    untold: desk.problems(fates.keys()),
    errors: errorsOf(cluster),
  };
}

/** How long it took stands in the table: that one version works with another is no matter of how fast the machine is. */
function neverRecovered({ byKind }: Recoveries): string[] {
  return [...byKind.values()]
    .filter(({ worstMs }) => !Number.isFinite(worstMs))
    .map(({ kind }) => `${kind}: new orders were not assigned`);
}

/** A job that its worker said has failed is tried again for as long as attempts are left. */
function failedTooSoon(fates: ReadonlyMap<string, JobFate>): string[] {
  return [...fates].flatMap(([id, { outcome, cause, attempts }]) =>
    outcome === "failed" && attempts < DEFAULT_MAX_ATTEMPTS
      ? [`${id} ended as failed (${cause}) after ${attempts} attempts`]
      : [],
  );
}

/** Whatever the others are, these take everything: what is left must come to an end. */
async function settleWith(cluster: Cluster, zones: readonly string[]): Promise<void> {
  const habits = { reports: true, reconnects: "python", jobMs: 50, sampleEveryMs: 200 } as const;
  await Promise.all(
    zones.flatMap((zone) =>
      KINDS.map((kind) =>
        cluster.worker({ ...habits, name: `last-${kind}-${zone}`, agent: agentOf(kind, zone), zone }),
      ),
    ),
  );
}

/** What any process logged as an error: each message once, with who said it first. */
function errorsOf(cluster: Cluster): string[] {
  const found = new Map<string, string>();
  for (const line of cluster.trace('"level":"error"')) {
    const message = /"msg":"([^"]*)"/.exec(line)?.[1] ?? line;
    if (!EXPECTED.includes(message) && !found.has(message)) found.set(message, line);
  }
  return [...found.values()];
}

/** The longest time in which no job started anywhere. */
function longestPause(startsAtMs: readonly number[], fromMs: number, toMs: number): number {
  const within = startsAtMs.filter((atMs) => atMs >= fromMs && atMs <= toMs);
  const moments = [fromMs, ...within, toMs];
  return Math.max(...moments.slice(1).map((atMs, index) => atMs - (moments[index] ?? atMs)));
}
