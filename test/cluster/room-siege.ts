/**
 * The siege of rooms: callers who come, hang up while they wait and come back, agents that are slow to join or crash before
 * and after, workers that die, and between two calm times all the faults of the siege. LiveKit is the stand-in, whose rooms
 * end as livekit-server's do. Owns the order in which that happens; what is a violation, the judge and the invariants say.
 */
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { Cluster, KEY, SECRET } from "./harness.js";
import { Agents } from "./room-siege/agents.js";
import { Callers } from "./room-siege/callers.js";
import { Fleet } from "./room-siege/fleet.js";
import { Judge } from "./room-siege/judge.js";
import { PLACES, type RoomSiegePlan, TIMEOUTS } from "./room-siege/plan.js";
import type { RoomSiegeReport } from "./room-siege/report.js";
import { Stories } from "./room-siege/stories.js";
import { startWebhookBalancer, type WebhookBalancer } from "./room-siege/webhook-balancer.js";
import { Faults } from "./siege/faults.js";
import { Random } from "./siege/random.js";
import { outcomesOf } from "./siege/report.js";
import { everyJobEnded, nothingHeld } from "./siege/rest.js";

/** In the calm a wait is judged; it must be longer than its bound. */
const CALM_MS = 20_000;
const STORM_MS = 8_000;
const MEASURED_MS = 2_000;
/** All have hung up, and every worker reports: longer than any of their times. */
const ENDED_MS = 45_000;
/** One of eight: below the 30 % within 10 s that the ledger takes for an outage of ours. */
const WORKER_TROUBLE_EVERY_MS = 6_000;

export async function runRoomSiege(plan: RoomSiegePlan): Promise<RoomSiegeReport> {
  let cluster: Cluster | undefined;
  const stories = new Stories();
  const balancer = await startWebhookBalancer(() => cluster?.apiUrls ?? [], stories);
  const livekit = await startLivekitStandIn({
    ...{ apiKey: KEY, apiSecret: SECRET, webhookUrl: balancer.url, timeouts: TIMEOUTS },
  });
  const asks = { MUSTER_LIVEKIT_URL: livekit.url, MUSTER_LIVEKIT_KEYS: `${KEY}: ${SECRET}` };
  try {
    const { zones, gateways, dispatchers, apis, retentionMs, store } = plan;
    cluster = await Cluster.start({
      ...{ zones, gateways, dispatchers, apis, retentionMs, store, hasReplicas: store === "cluster" },
      env: { api: asks, dispatcher: asks, gateway: { MUSTER_MAX_JOBS_PER_WORKER: String(PLACES) } },
    });
    return await besiege({ cluster, livekit, balancer, stories }, plan);
  } finally {
    await cluster?.end();
    await livekit.stop();
    await balancer.stop();
  }
}

interface Stage {
  cluster: Cluster;
  livekit: LivekitStandIn;
  balancer: WebhookBalancer;
  stories: Stories;
}

async function besiege(
  { cluster, livekit, balancer, stories }: Stage,
  plan: RoomSiegePlan,
): Promise<RoomSiegeReport> {
  const random = new Random(plan.seed);
  const callers = new Callers({ cluster, livekit, random: random.fork(), stories });
  balancer.onHandedOn = (webhook) => callers.told(webhook);
  const agents = new Agents({ livekit, random: random.fork(), stories });
  let judge: Judge;
  const fleet = new Fleet({
    cluster,
    random: random.fork(),
    agents,
    judge: () => judge,
    size: plan.workersPerZone,
  });
  const kinds = ["gateway", "dispatcher", "api"] as const;
  judge = new Judge({
    ...{ livekit, callers, agents, hasPlace: () => fleet.hasPlace() },
    ...{ now: () => performance.now(), conditions: cluster.conditions, fates: cluster.invariants.fates },
    names: ["redis", ...kinds.flatMap((kind) => cluster.names(kind))],
  });
  const violations: string[] = [];
  // How soon all is well again is the other siege's question. A fault lasts no longer than this, whatever becomes of the call.
  const measure = () => Promise.race([callers.call(), pause(MEASURED_MS)]);
  const recoveries = { violations, measure };
  const faults = new Faults({ cluster, plan, random: random.fork(), crew: fleet, recoveries });

  cluster.watch();
  await fleet.start();
  callers.start(plan.callersPerSecond);
  judge.start();
  fleet.trouble(WORKER_TROUBLE_EVERY_MS);
  const untilMs = performance.now() + plan.faultsMs;
  await pause(CALM_MS);
  while (performance.now() < untilMs) {
    await faults.run(Math.min(untilMs, performance.now() + STORM_MS));
    await pause(CALM_MS);
  }
  await fleet.settle();
  await callers.settle();
  const lost = await everyJobEnded(cluster, ENDED_MS);
  judge.stop();
  const leaked = await nothingHeld(cluster);
  agents.stop();
  await cluster.removeAllWorkers();
  violations.push(...judge.violations, ...cluster.invariants.violations);
  const traced = [...violations, ...lost].flatMap((line) => /AJ_\w{14}/.exec(line)?.[0] ?? []);
  const rooms = violations.flatMap((line) => /call-\d+/.exec(line)?.[0] ?? []);
  return {
    ...{ plan, violations, lost, leaked, longestWebhookMs: balancer.longestMs },
    ...{
      calls: callers.counts,
      unanswered: callers.unanswered,
      natures: agents.counts,
      workers: fleet.counts,
    },
    ...{ faults: faults.counts, outcomes: outcomesOf(cluster.invariants.fates) },
    traces: [
      ...[...new Set(rooms)].slice(0, 5).flatMap((room) => stories.of(room)),
      ...[...new Set(traced)].slice(0, 3).flatMap((job) => cluster.trace(job).slice(-40)),
    ],
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
