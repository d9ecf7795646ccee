/**
 * One master of a Redis Cluster stands still while the others serve. The nodes' leases, which are on another, go on all
 * the while; that nobody could be heard in the namespace is a gap of ours all the same.
 */
import { namespaceName } from "@muster/domain/namespace";
import { afterEach, expect, it } from "vitest";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import { Cluster } from "./harness.js";
import { GRACE_MS, LEASE_MS } from "./timing.js";
import { PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const SLOTS = 16_384;
/** Longer than the grace, and shorter than what a connection waits for an answer: none is lost. */
const OUTAGE_MS = GRACE_MS + LEASE_MS;
/** The others do not take it for failed. */
const NODE_TIMEOUT_MS = 20_000;

it("the one of the namespace: a grace that ended meanwhile starts again", async () => {
  cluster = await Cluster.start({ store: "cluster", nodeTimeoutMs: NODE_TIMEOUT_MS });
  const shard = await shardOf(namespaceTag(namespaceName("default", "zone")));
  expect(shard).not.toBe(await shardOf("muster:{nodes}:"));
  const worker = await cluster.worker({ ...PYTHON, name: "worker", gateway: "gateway-0" });
  const order = await cluster.submit({ room: "kept", agent: "agent" });
  const id = await cluster.jobOf(order);
  await cluster.until("it runs", async () => (await cluster.job(id)).state === "running");
  const other = await cluster.worker({ ...PYTHON, name: "other", gateway: "gateway-1" });
  cluster.freeze("gateway-0");
  await cluster.until("it is an orphan", async () => (await cluster.job(id)).state === "orphaned");

  await cluster.freezeRedis(shard);
  const awaySinceMs = performance.now();
  await cluster.until("its grace is long over", () => performance.now() - awaySinceMs > OUTAGE_MS, {
    deadlineMs: 2 * OUTAGE_MS,
  });
  await cluster.thawRedis(shard);
  await cluster.submit({ room: "behind", agent: "agent" });
  await cluster.until("work goes on", () => other.assigned.some(({ room }) => room === "behind"));
  cluster.thaw("gateway-0");
  await cluster.until("its worker has it again", async () => (await cluster.job(id)).state === "running");
  expect(await cluster.job(id)).toMatchObject({ session: worker.id, attempts: "1" });
  expect(other.assigned.map(({ room }) => room)).toEqual(["behind"]);
  expect(cluster.witness.overlaps).toEqual([]);
}, 60_000);

/** As the slots are dealt out at the start. */
async function shardOf(key: string): Promise<number> {
  const slot = Number(await cluster.redis.call("CLUSTER", "KEYSLOT", key));
  return Math.floor((slot * cluster.shards) / SLOTS);
}
