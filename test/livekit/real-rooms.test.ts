/**
 * Muster beside a real livekit-server, with people who come in over WebRTC: its jobs are for those whom LiveKit lists.
 * Runs where a livekit-server is at hand. With RECORD=1 what it says is kept for recorded-rooms.test.
 */
import { execFileSync } from "node:child_process";
import { orderRecord } from "@muster/ledger/records";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it, onTestFailed } from "vitest";
import { API_KEY, API_SECRET, type RunningApi, runApi } from "../../services/api/test/kit.js";
import { waitUntil } from "../kit/wait-until.js";
import { writeFixture } from "./fixture.js";
import { describeLive, liveRooms } from "./live-rooms.js";
import { LIVEKIT_SERVER_BIN } from "./livekit-server.js";
import { type Listed, orderEveryKind } from "./room-orders.js";
import { STORIES } from "./stories.js";

const { RECORD } = process.env;
const ROUND_MS = 1_000;
const SETTLED_MS = 20_000;
/** LiveKit's numbers. */
const KINDS: readonly Listed["kind"][] = ["standard", "ingress", "egress", "sip", "agent"];

const live = liveRooms({ apiKey: API_KEY, apiSecret: API_SECRET });
let api: RunningApi;
let dispatches: AgentDispatchClient;

describeLive("with a real livekit-server", () => {
  beforeAll(async () => {
    const { redis, server, tap } = live;
    // Also those that name no agent: the more dispatches, the more is proven.
    api = await runApi(redis, { livekitUrl: server.url, roomsEveryMs: ROUND_MS, adoptUnnamed: "always" });
    tap.leadTo(`${api.url}/webhook`);
    dispatches = new AgentDispatchClient(server.url, API_KEY, API_SECRET);
  }, 60_000);
  afterAll(() => api?.stop());

  it.each(STORIES)("the jobs are for who is there: $name", async ({ name, play }) => {
    onTestFailed(() => {
      const events = live.tap.of(name).map(({ body }) => body);
      process.stdout.write(`${events.join("\n")}\n${live.server.output().slice(-3_000)}\n`);
    });
    const orders = await orderEveryKind(api, name);
    await play({
      ...{ ...live, room: name },
      told: (event, times) => told(name, event, times),
    });
    await waitUntil("jobs are for whom LiveKit lists", async () => orders.areFor(await listed(name)), {
      deadlineMs: SETTLED_MS,
    });
    await waitUntil("LiveKit's own dispatches are orders", () => areAdopted(name), {
      deadlineMs: SETTLED_MS,
    });
    if (RECORD !== undefined) {
      const version = execFileSync(LIVEKIT_SERVER_BIN, ["--version"], { encoding: "utf8" }).trim();
      const there = await listed(name);
      writeFixture({ story: name, version, room: name, webhooks: live.tap.of(name), there });
    }
  });
});

async function listed(room: string): Promise<Listed[]> {
  const found =
    (await live.rooms.listRooms([room])).length === 0 ? [] : await live.rooms.listParticipants(room);
  return found.map(({ identity, sid, kind, isPublisher }) => ({
    ...{ identity, sid, publishes: isPublisher },
    kind: KINDS[kind] ?? "other",
  }));
}

/** By what they ask for: a node that crashed makes them anew, under other ids. Beside them are only orders of ours. */
async function areAdopted(room: string): Promise<boolean> {
  const own = (await live.rooms.listRooms([room])).length === 0 ? [] : await dispatches.listDispatch(room);
  const { orders } = await api.ledger.listRoomOrders({ namespace: "default", room, only: "", limit: 100 });
  const adopted = Object.values(orders)
    .map((entry) => orderRecord(entry.order))
    .filter(({ agent, state }) => !agent.startsWith("of-") && state === "live");
  expect(adopted.map(({ agent, metadata }) => ({ agent, metadata }))).toEqual(
    own.map(({ agentName, metadata }) => ({ agent: agentName, metadata })),
  );
  return true;
}

async function told(room: string, event: string, times: number): Promise<void> {
  await waitUntil(
    `${times} of ${event} are told`,
    () => live.tap.told(room).filter((webhook) => webhook.event === event).length >= times,
    { deadlineMs: SETTLED_MS },
  );
}
