/** The way to an actor from another process: its owner by the live leases, past those that are gone, and never for ever. */
import { type ActorLink, createActorLink } from "@muster/actor/actor-link";
import { Inbox } from "@muster/actor/inbox";
import type { NodeRole } from "@muster/actor/keys";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { createOutbox } from "@muster/actor/outbox";
import { ownerOf } from "@muster/actor/rendezvous";
import { systemClock } from "@muster/runtime/clock";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeLease, recordingLog } from "./actor-kit.js";

interface Node {
  nodeId: string;
  received: unknown[];
  /** As after a kill: the lease runs on, and nobody reads. */
  loseInbox(): Promise<void>;
}

let server: RedisServer;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.flush());
afterEach(async () => {
  server.thaw();
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A node with a lease, and an inbox that keeps what it gets. */
async function node(role: NodeRole = "dispatcher"): Promise<Node> {
  const lease = makeLease(server.client(), { role, leaseMs: 60_000 });
  const received: unknown[] = [];
  const inbox = new Inbox({
    redis: server.client(),
    blocking: server.client(),
    nodeId: lease.nodeId,
    handle: (message) => void received.push(message),
    onGap: () => {},
    clock: systemClock,
    log: recordingLog(),
  });
  await inbox.open();
  await lease.start();
  stops.push(() => lease.release());
  const loseInbox = () => inbox.close();
  stops.push(loseInbox);
  return { nodeId: lease.nodeId, received, loseInbox };
}

/** Of a process that has a connection of its own, and knows nothing yet. */
function link(retryForMs = 2_000) {
  const redis = server.client();
  const outbox = createOutbox({ redis, clock: systemClock, log: recordingLog(), retryForMs });
  const directory = createNodeDirectory({ redis, clock: systemClock, cacheMs: 60_000 });
  const actors: ActorLink<string> = createActorLink({ directory, outbox, role: "dispatcher" });
  return { ...actors, redis, outbox };
}

const several = (count: number) => Promise.all(Array.from({ length: count }, () => node()));
const ownerAmong = (nodes: readonly Node[], actor: string) => {
  const owner = ownerOf(
    actor,
    nodes.map(({ nodeId }) => nodeId),
  );
  return nodes.find(({ nodeId }) => nodeId === owner) as Node;
};

describe("a message to an actor", () => {
  it("goes to the node that rendezvous hashing gives its name to, with the name", async () => {
    const nodes = await several(3);
    await node("gateway");
    const { tell } = link();
    const names = Array.from({ length: 30 }, (_, index) => `actor-${index}`);
    const outcomes = await Promise.all(names.map((name) => tell(name, `to ${name}`)));
    expect(new Set(outcomes)).toEqual(new Set(["sent"]));
    await waitUntil("all arrived", () => nodes.flatMap(({ received }) => received).length === names.length);
    for (const one of nodes) {
      const own = names.filter((name) => ownerAmong(nodes, name) === one);
      expect(own.length).toBeGreaterThan(0);
      expect(one.received).toEqual(own.map((actor) => ({ actor, message: `to ${actor}` })));
    }
  });

  it("goes past an owner that is gone to whoever is next in line, who is asked first from then on", async () => {
    const nodes = await several(3);
    const owner = ownerAmong(nodes, "actor");
    const rest = nodes.filter((one) => one !== owner);
    const next = ownerAmong(rest, "actor");
    await owner.loseInbox();
    const { tell, outbox } = link();
    expect([await tell("actor", "1"), await tell("actor", "2")]).toEqual(["sent", "sent"]);
    await waitUntil("both arrived", () => next.received.length === 2);
    expect(outbox.counts.gone).toBe(1);
    expect(nodes.flatMap(({ received }) => received)).toEqual(next.received);
  });

  it("finds nobody where no node of that role lives, and makes nothing", async () => {
    await node("gateway");
    const before = (await server.client().keys("*")).sort();
    expect(await link().tell("actor", "hello")).toBe("nobody");
    expect((await server.client().keys("*")).sort()).toEqual(before);
  });

  it("is given up after four nodes that were gone: one that lives behind them has other ways to learn of it", async () => {
    const nodes = await several(6);
    const line: Node[] = [];
    for (let left = nodes; left.length > 0; left = left.filter((one) => !line.includes(one)))
      line.push(ownerAmong(left, "actor"));
    for (const one of line.slice(0, 5)) await one.loseInbox();
    const { tell, outbox, redis } = link();
    const commands = countCommands(redis);
    expect(await tell("actor", "hello")).toBe("nobody");
    expect(outbox.counts.gone).toBe(4);
    expect(commands.byName().xadd).toBe(4);
    // They are not asked again, so the next message gets there.
    expect(await tell("actor", "again")).toBe("sent");
    await waitUntil("it arrived", () => line[5]?.received.length === 1);
  });

  it("is refused in time when Redis takes nothing, and goes through when it is back", async () => {
    const only = await node();
    const { tell } = link(300);
    expect(await tell("actor", "before")).toBe("sent");
    server.freeze();
    await expect(tell("actor", "lost")).rejects.toMatchObject({ code: "unavailable" });
    server.thaw();
    await waitUntil(
      "one is sent again",
      async () => (await tell("actor", "after").catch(() => "refused")) === "sent",
    );
    await waitUntil("it arrived", () =>
      only.received.some((envelope) => (envelope as { message: string }).message === "after"),
    );
  });
});
