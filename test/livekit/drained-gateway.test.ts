/**
 * A gateway that is drained while a stock agent still warms up, so that LiveKit says that it is not there: its worker goes
 * on at the other gateway, its entry is not started a second time, and nobody else is sent.
 */
import { expect, it, onTestFailed, onTestFinished } from "vitest";
import { startFlakyProxy } from "../kit/flaky-proxy.js";
import { metricIn } from "../kit/metric-line.js";
import { type ServiceName, startService } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, dispatchDesk, printTail } from "../sdk/live-muster.js";
import { INSTALL_DEADLINE_MS } from "../sdk/python-environment.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { describeLive, liveRooms } from "./live-rooms.js";
import { does, hasPython, type StockSdk, startStockAgent } from "./stock-agents.js";
import { startWebhookTap } from "./webhook-tap.js";

const WARM_UP_MS = 6_000;
/** Longer than the warm-up on a busy machine: from then on an agent that is not in its room is taken for lost. */
const START_DEADLINE_MS = 15_000;

const live = liveRooms();

describeLive("a gateway that is drained right after an assignment", () => {
  it.for<StockSdk>(["python", "node"])(
    "leaves a %s agent that warms up its one entry",
    { timeout: INSTALL_DEADLINE_MS },
    async (sdk, { skip }) => {
      if (sdk === "python" && !(await hasPython())) skip("no Python SDK here");
      const muster = await startParts();
      const worker = await startStockAgent(sdk, { agentName: sdk, url: muster.url });
      onTestFinished(() => worker.stop());
      const room = `warms-up-${sdk}`;
      await live.people.join("caller", room);
      const metadata = does("stays", { warmUpMs: WARM_UP_MS });
      const { id } = await muster.client.createDispatch(room, sdk, { metadata });
      const stateOf = async () => (await muster.recordOf(id)).state ?? "";
      await waitUntil("it is assigned", async () => ["starting", "running"].includes(await stateOf()), {
        deadlineMs: SDK_DEADLINE_MS,
      });
      await muster.drain();
      await worker.joinedIn(room);
      // A Python worker names its jobs when it is back. A Node worker does not: what LiveKit says is all that is known.
      if (sdk === "python")
        await waitUntil("it is known to run", async () => (await stateOf()) === "running");
      else await waitUntil("it is found in its room", muster.hasFoundAgent, { deadlineMs: SDK_DEADLINE_MS });
      expect(worker.output().split("registered AW_")).toHaveLength(3);
      expect(worker.events().filter(({ event }) => event === "entry")).toHaveLength(1);
      expect(await live.agentsIn(room)).toHaveLength(1);
      expect(muster.told(room)).toEqual(
        sdk === "python" ? ["queued", "offered", "started", "migrated"] : ["queued", "offered", "started"],
      );
    },
  );
});

/** Muster in parts: dispatcher, api, and two gateways behind a load balancer. */
async function startParts() {
  const events = await startWebhookTap();
  onTestFinished(() => events.stop());
  const start = async (name: ServiceName) => {
    const service = await startService(name, {
      MUSTER_REDIS_URL: live.redis.url,
      MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
      MUSTER_START_DEADLINE_MS: String(START_DEADLINE_MS),
      ...(name === "gateway"
        ? { MUSTER_WORKER_LIVEKIT_URL: live.server.wsUrl, MUSTER_DRAIN_MS: "500" }
        : { MUSTER_LIVEKIT_URL: live.server.url }),
      ...(name === "api" && { MUSTER_WEBHOOK_URLS: events.url }),
    });
    onTestFinished(async () => void (await service.stop()));
    onTestFailed(() => printTail(service));
    return service;
  };
  const dispatcher = await start("dispatcher");
  const api = await start("api");
  const gateways = [await start("gateway"), await start("gateway")] as const;
  live.tap.leadTo(`${api.url}/webhook`);
  let [{ port }] = gateways;
  const target = {
    host: "127.0.0.1",
    get port() {
      return port;
    },
  };
  const balancer = await startFlakyProxy({ target });
  onTestFinished(() => balancer.stop());
  return {
    url: `http://127.0.0.1:${balancer.port}`,
    ...dispatchDesk(api.url, live.redis),
    /** SIGTERM to the gateway that the worker is at. The load balancer learns of it when that is gone. */
    async drain() {
      const [first, second] = gateways;
      await first.stop();
      port = second.port;
    },
    /** An orphan's agent was looked for, and is there. */
    async hasFoundAgent() {
      const metrics = await (await fetch(`${dispatcher.url}/metrics`)).text();
      return metricIn(metrics, 'orphans_settled_total{verdict="present",outcome="kept"}') > 0;
    },
    /** What Muster's own webhooks said of the jobs of a room, in order. */
    told: (room: string) => events.told(room).map(({ event }) => event.replace("agent_job_", "")),
  };
}
