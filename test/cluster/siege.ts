/**
 * The siege: a cluster under faults that never end, and workers that come and go, while orders keep coming in; then all
 * of it at rest, and the account. Owns the order in which that happens. Finds, and never forgives: what is a violation is
 * judged by witness, invariants and bounds.
 */
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import { Cluster } from "./harness.js";
import { Adoptions } from "./siege/adoptions.js";
import { type AgentKind, agentOf, KINDS } from "./siege/agents.js";
import { Crew } from "./siege/crew.js";
import { Faults } from "./siege/faults.js";
import { Orders } from "./siege/orders.js";
import type { SiegePlan } from "./siege/plan.js";
import { Random } from "./siege/random.js";
import { Recoveries } from "./siege/recoveries.js";
import { outcomesOf, type SiegeReport } from "./siege/report.js";
import { everyJobEnded, nothingHeld, nothingKept } from "./siege/rest.js";

/** One worker; rare enough that the ledger does not take it for an outage of ours (30 % within 10 s). */
const WORKER_TROUBLE_EVERY_MS = 1_500;
const TRACES = 3;
const TRACE_LINES = 40;

export async function runSiege(plan: SiegePlan): Promise<SiegeReport> {
  const { zones, gateways, dispatchers, apis, retentionMs, store } = plan;
  const hasReplicas = store === "cluster";
  const cluster = await Cluster.start({
    zones,
    gateways,
    dispatchers,
    apis,
    retentionMs,
    store,
    hasReplicas,
  });
  try {
    return await besiege(cluster, plan);
  } finally {
    await cluster.end();
  }
}

async function besiege(cluster: Cluster, plan: SiegePlan): Promise<SiegeReport> {
  const { zones } = plan;
  const random = new Random(plan.seed);
  const orders = new Orders({ cluster, plan, random: random.fork() });
  const recoveries = new Recoveries({ orders, zones });
  const adoptions = new Adoptions({ cluster, recoveries });
  const watch = (kind: AgentKind, zone: string, worker: () => SimulatedWorker | undefined) => ({
    registered(session: string, isReturn: boolean) {
      const known = worker();
      if (isReturn && kind === "python" && known !== undefined) adoptions.returned(known, session, zone);
    },
    lost() {},
    offered() {},
    started({ room }: { room: string }) {
      if (kind === "canary") recoveries.started(room);
    },
    over() {},
  });
  const crew = new Crew({ cluster, plan, random: random.fork(), watch });
  const faults = new Faults({ cluster, plan, random: random.fork(), crew, recoveries });

  cluster.watch();
  await crew.start();
  orders.start();
  crew.trouble(WORKER_TROUBLE_EVERY_MS);
  await faults.run(performance.now() + plan.faultsMs);

  await crew.settle();
  await orders.settle();
  // Whatever the others are, these take everything.
  await Promise.all(
    zones.flatMap((zone) =>
      KINDS.map((kind) =>
        cluster.worker({
          name: `last-${kind}-${zone}`,
          agent: agentOf(kind, zone),
          zone,
          reports: true,
          reconnects: "python",
          jobMs: 50,
          sampleEveryMs: 200,
        }),
      ),
    ),
  );
  const lost = await everyJobEnded(cluster);
  await adoptions.settle();
  const { fates } = cluster.invariants;
  lost.push(...orders.problems(fates, cluster.witness.succeeded));
  const leaked = await nothingHeld(cluster);
  await cluster.removeAllWorkers();
  leaked.push(...(await nothingKept(cluster, plan.retentionMs)));
  if (cluster.witness.running > 0) leaked.push(`${cluster.witness.running} executions never ended`);

  const violations = [...cluster.invariants.violations, ...recoveries.violations];
  return {
    plan,
    faults: faults.counts,
    recoveries: [...recoveries.byKind.values()],
    orders: {
      accepted: orders.accepted.size,
      unanswered: orders.unanswered.length,
      repeatedCalls: cluster.dispatches.counts.repeats,
    },
    outcomes: outcomesOf(fates),
    starts: cluster.witness.counts.starts,
    repeated: cluster.witness.counts.repeated,
    redispatches: cluster.witness.counts.starts - cluster.witness.started.size,
    adoptions: adoptions.counts,
    workers: { ...crew.counts, returns: cluster.witness.counts.returns },
    overlaps: cluster.witness.overlaps,
    polls: cluster.invariants.polls,
    violations,
    lost,
    leaked,
    traces: tracesOf(cluster, [...violations, ...lost, ...leaked]),
  };
}

/** What the services wrote about the first jobs that something is wrong with. */
function tracesOf(cluster: Cluster, found: readonly string[]): string[] {
  const jobs = new Set(found.flatMap((line) => /AJ_\w{14}/.exec(line)?.[0] ?? []));
  return [...jobs].slice(0, TRACES).flatMap((job) => cluster.trace(job).slice(-TRACE_LINES));
}
