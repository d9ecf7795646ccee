/**
 * On a Redis Cluster, the slot of a namespace moves from node to node while orders come in: every job is assigned once,
 * and nothing is half written.
 */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "./harness.js";
import { PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const MOVES = 4;
const AT_LEAST = 50;

it("serves on while its slot moves", async () => {
  cluster = await Cluster.start({ store: "cluster" });
  const workers = await Promise.all(
    ["first", "second"].map((name) => cluster.worker({ ...PYTHON, name, jobMs: 20 })),
  );
  const orders: Promise<string>[] = [];
  const sender = setInterval(() => {
    orders.push(cluster.submit({ room: `room-${orders.length}`, agent: "agent" }));
  }, 20);
  try {
    for (let move = 0; move < MOVES; move++) await cluster.reshard();
    await cluster.until("enough was ordered", () => orders.length > AT_LEAST);
  } finally {
    clearInterval(sender);
  }
  const accepted = new Set(await Promise.all(orders));
  expect(accepted.size).toBe(orders.length);
  const rooms = () => workers.flatMap((worker) => worker.assigned.map(({ room }) => room));
  await cluster.until("every order is assigned", () => rooms().length >= accepted.size, {
    deadlineMs: 20_000,
  });
  await cluster.until("every job ended well", () => {
    const fates = [...cluster.invariants.fates.values()];
    return fates.length === accepted.size && fates.every(({ outcome }) => outcome === "success");
  });
  expect(rooms()).toHaveLength(accepted.size);
  expect(new Set(rooms()).size).toBe(accepted.size);
}, 90_000);
