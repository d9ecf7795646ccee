/** A worker dies, and LiveKit says that its agent is gone: by webhook or when it is asked, before or after the socket. */

import { RoomPresence } from "@muster/dispatcher/room-presence";
import type { OfferMessage } from "@muster/domain/node-message";
import { createLedger } from "@muster/ledger/ledger";
import { HeardBoard } from "@muster/livekit/heard-board";
import { roomServiceOf } from "@muster/livekit/settings";
import { systemClock } from "@muster/runtime/clock";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { keys } from "../services/api/test/kit.js";
import { type House, openHouse } from "../services/api/test/rooms-kit.js";
import { createCaller } from "../services/dispatcher/test/caller.js";
import { runDispatcher, runGateway } from "../services/dispatcher/test/kit.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { waitUntil } from "./kit/wait-until.js";

const NAMESPACE = "default";
const AGENT = "greeter";
const ROOM = "support";
/** No timer helps: nobody is asked again, and no grace ends, within any of these tests. */
const NEVER_MS = 600_000;
const BOUND_MS = 2_000;

let server: RedisServer;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await server.flush();
});
afterAll(() => server.stop());

function keep<Part extends { stop(): Promise<unknown> }>(part: Part): Part {
  closing.push(() => part.stop());
  return part;
}

/** A caller in a room, the agent that serves it, and another worker that has room for the job. */
async function servedRoom(asks: boolean) {
  const house = keep(await openHouse(server, { asks }));
  const { url } = house.livekit;
  const roomService = asks ? roomServiceOf({ url, keys }, systemClock) : undefined;
  const presence = new RoomPresence({
    ...{ ledger: createLedger(server.client()), roomService, clock: systemClock, startMs: 30_000 },
    heard: new HeardBoard({ redis: server.client(), clock: systemClock }),
  });
  const times = { graceMs: NEVER_MS, recheckMs: NEVER_MS, presenceLimitMs: BOUND_MS };
  const dispatcher = keep(await runDispatcher(server.url, { presence, ...times }));
  const gateway = keep(await runGateway(server.url));
  const caller = keep(createCaller(server.url));

  const session = await caller.session(NAMESPACE, AGENT, gateway.nodeId);
  await house.order({ room: ROOM, agent_name: AGENT });
  const offer = await waitUntil("the job is offered", () => gateway.offers()[0]);
  await caller.take(offer, "silent");
  const identity = `agent-${offer.job}`;
  house.play((rooms) => rooms.join(ROOM, "ann"));
  house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
  await house.tell();
  const state = async () => (await caller.job(NAMESPACE, offer.job)).state;
  await waitUntil("it is seen to run", async () => (await state()) === "running");
  const other = await caller.session(NAMESPACE, AGENT, gateway.nodeId);
  return {
    ...{ house, identity, state, other, dispatcher },
    /** The job's next offer after the first. */
    again: (): OfferMessage | undefined =>
      gateway.offers().find(({ job, epoch }) => job === offer.job && epoch > offer.epoch),
    loseWorker: () => caller.lose(NAMESPACE, session),
  };
}

function leaves(house: House, identity: string): void {
  house.play((rooms) => rooms.leave(ROOM, identity, "SIGNAL_CLOSE"));
}

async function resumedAtOnce({ again, other, since }: { again(): unknown; other: string; since: number }) {
  await waitUntil("another worker is asked", again, { deadlineMs: BOUND_MS });
  expect(performance.now() - since).toBeLessThan(BOUND_MS);
  expect(again()).toMatchObject({ session: other, resuming: true });
}

describe.each([
  ["webhooks alone", false],
  ["webhooks and RoomService", true],
] as const)("a dead agent whose participant is gone, by %s, is replaced within 2 s", (_, asks) => {
  it("when its participant leaves after its worker was lost", async () => {
    const { house, identity, state, loseWorker, ...rest } = await servedRoom(asks);
    await loseWorker();
    await waitUntil("it is an orphan", async () => (await state()) === "orphaned");
    leaves(house, identity);
    const since = performance.now();
    expect(rest.again()).toBeUndefined();
    await house.tell();
    await resumedAtOnce({ ...rest, since });
  });

  it("when its participant has left before", async () => {
    const { house, identity, loseWorker, ...rest } = await servedRoom(asks);
    leaves(house, identity);
    await house.tell();
    expect(rest.again()).toBeUndefined();
    const since = performance.now();
    await loseWorker();
    await resumedAtOnce({ ...rest, since });
  });
});

it("is replaced too when the webhook is lost and RoomService is asked", async () => {
  const { house, identity, loseWorker, ...rest } = await servedRoom(true);
  leaves(house, identity);
  const since = performance.now();
  await loseWorker();
  await resumedAtOnce({ ...rest, since });
});

it("is not replaced while its participant is there, also when only its second connection's way in was lost", async () => {
  const { house, identity, state, again, loseWorker, dispatcher } = await servedRoom(true);
  house.play((rooms) => rooms.rejoin(ROOM, identity, "DUPLICATE_IDENTITY"));
  const [leave] = house.untold();
  if (leave === undefined) throw new Error("its leave was not told");
  await house.deliver([leave]);
  await loseWorker();
  const kept = 'orphans_settled_total{verdict="present",outcome="kept"}';
  await waitUntil("it was decided", async () => (await dispatcher.metric(kept)) >= 1);
  expect(await state()).toBe("orphaned");
  expect(again()).toBeUndefined();
});
