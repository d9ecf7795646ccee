/** Which builds may run on one Redis: who is refused, in what words, and what is remembered of whom. */
import { BuildClaim, type BuildClaimDeps } from "@muster/actor/build-claim";
import { BUILDS_KEY, CLAIMS_KEY, SCHEMA_KEY } from "@muster/actor/keys";
import { SchemaRefused } from "@muster/actor/schema-refused";
import type { Schema } from "@muster/domain/schema";
import { systemClock } from "@muster/runtime/clock";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type LogLine, makeLease, newNodeId, recordingLog } from "./actor-kit.js";

/** As the releases of a product follow each other: each lives with the one before. */
const release = (writes: number): Schema => ({ writes, livesWith: Math.max(1, writes - 1) });
const TIMES = { claimMs: 400, renewEveryMs: 100, patienceMs: 600 };

let server: RedisServer;
const claims: BuildClaim[] = [];
const ended: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.flush());
afterEach(async () => {
  await Promise.all(claims.splice(0).map((claim) => claim.release()));
  await Promise.all(ended.splice(0).map((end) => end()));
});

interface Process {
  claim: BuildClaim;
  nodeId: string;
  lines: LogLine[];
}

function process(schema: Schema, options: Partial<BuildClaimDeps> = {}): Process {
  const nodeId = newNodeId();
  const lines: LogLine[] = [];
  const claim = new BuildClaim({
    redis: server.client(),
    nodeIds: [nodeId],
    service: "gateway",
    version: "1.2.3",
    clock: systemClock,
    log: recordingLog(lines),
    schema,
    ...TIMES,
    ...options,
  });
  claims.push(claim);
  return { claim, nodeId, lines };
}

async function running(schema: Schema, options: Partial<BuildClaimDeps> = {}): Promise<Process> {
  const started = process(schema, options);
  await started.claim.take();
  return started;
}

/** Its words, or "runs". */
async function attempt(schema: Schema): Promise<string> {
  const { claim } = process(schema);
  try {
    await claim.take();
    return "runs";
  } catch (error) {
    if (error instanceof SchemaRefused) return error.message;
    throw error;
  }
}

const stored = () => server.client().hgetall(SCHEMA_KEY);

it("neighbours run side by side, whoever is first", async () => {
  await running(release(3));
  expect(await attempt(release(4))).toBe("runs");
  expect(await attempt(release(3)), "rolled back").toBe("runs");
  expect(await stored()).toEqual({ oldest: "3", newest: "4" });
});

it("two releases at once are refused while the old one runs, with what to do, and change nothing", async () => {
  const old = await running(release(3));
  const words = await attempt(release(5));
  expect(words).toContain("1 processes of schema 3 run on this Redis");
  expect(words).toContain("upgrade all of these to schema 4 first, then to 5, or stop them");
  expect(await stored()).toEqual({ oldest: "2", newest: "3" });
  expect(Object.keys(await server.client().hgetall(BUILDS_KEY))).toEqual([old.nodeId]);
});

it("two releases at once are taken when nothing runs any more", async () => {
  const old = await running(release(3));
  await old.claim.release();
  expect(await attempt(release(5))).toBe("runs");
});

it("is given up in one step, so that nobody is half known who dies in the middle of it", async () => {
  const redis = server.client();
  const { claim, nodeId } = await running(release(3), { redis, renewEveryMs: 60_000 });
  expect(await redis.hexists(BUILDS_KEY, nodeId)).toBe(1);
  const commands = countCommands(redis);
  await claim.release();
  const { evalsha, eval: asText = 0, ...others } = commands.byName();
  expect({ evalsha, others }).toEqual({ evalsha: 1, others: {} });
  expect(asText).toBeLessThanOrEqual(1);
  expect(await redis.hexists(BUILDS_KEY, nodeId)).toBe(0);
  expect(await redis.zscore(CLAIMS_KEY, nodeId)).toBeNull();
});

it("waits for one that was killed, which nobody released", async () => {
  const connection = server.client();
  const old = await running(release(3), { redis: connection });
  connection.disconnect();
  const startedAtMs = performance.now();
  const { lines } = await running(release(5));
  expect(performance.now() - startedAtMs).toBeGreaterThan(TIMES.claimMs - TIMES.renewEveryMs - 50);
  expect(lines.map(({ level, msg }) => `${level}: ${msg}`)).toEqual([
    "warn: processes run here that this build cannot live with; waiting for them to go",
    "info: claimed to run on this Redis",
  ]);
  await old.claim.release();
});

it("one step back is taken for as long as nobody went two ahead, also when nothing runs", async () => {
  for (const writes of [3, 4]) await (await running(release(writes))).claim.release();
  expect(await attempt(release(3))).toBe("runs");
  await Promise.all(claims.splice(0).map((claim) => claim.release()));
  await (await running(release(5))).claim.release();
  const words = await attempt(release(3));
  expect(words).toContain("this build is of schema 3");
  expect(words).toContain("start a build of schema 4 or later");
  expect(await stored()).toEqual({ oldest: "4", newest: "5" });
});

it("a node with a lease and no claim is of schema 1", async () => {
  const lease = makeLease(server.client());
  await lease.start();
  ended.push(() => lease.release());
  expect(await attempt(release(2))).toBe("runs");
  expect(await attempt(release(3))).toContain("1 processes of schema 1 run on this Redis");
});

it("a node whose claim ended before its lease is still what it said it was", async () => {
  const connection = server.client();
  const lease = makeLease(server.client());
  await lease.start();
  ended.push(() => lease.release());
  await running(release(2), { nodeIds: [lease.nodeId], redis: connection });
  connection.disconnect();
  await waitUntil("its claim is over", async () => (await liveClaims()) === 0);
  expect(await attempt(release(3))).toBe("runs");
});

it("of two who cannot live together and come at once, one runs", async () => {
  const outcomes = await Promise.all([attempt(release(7)), attempt({ writes: 9, livesWith: 9 })]);
  expect(outcomes.filter((outcome) => outcome === "runs")).toHaveLength(1);
});

it("whoever comes beside one that runs and cannot be lived with is logged, and ends nobody", async () => {
  const { lines, nodeId } = await running(release(3));
  const lease = makeLease(server.client());
  await lease.start();
  ended.push(() => lease.release());
  const found = await waitUntil("it is said", () => lines.find(({ level }) => level === "error"));
  expect(found.msg).toContain("cannot live with");
  expect(JSON.stringify(found.fields)).toContain(`${lease.nodeId}: of a build that claims no schema`);
  expect(await server.client().zscore(CLAIMS_KEY, nodeId)).not.toBeNull();
  await lease.release();
  await waitUntil("and that it is over", () => lines.at(-1)?.msg === "all processes are of one schema");
});

it("a claim and the schema are said anew to a Redis that was emptied", async () => {
  const { nodeId } = await running(release(4));
  await server.flush();
  await waitUntil("it is there again", async () => (await stored()).oldest === "3");
  expect(await server.client().hkeys(BUILDS_KEY)).toEqual([nodeId]);
});

it("a process that was away while others went beyond it says so, and is not counted any more", async () => {
  const { lines } = await running(release(3), { claimMs: 50, renewEveryMs: 300 });
  await waitUntil("it lapsed", async () => (await liveClaims()) === 0);
  await running(release(5));
  const found = await waitUntil("it says so", () => lines.find(({ level }) => level === "error"));
  expect(found.msg).toContain("stop this process");
  expect(await server.client().zcard(CLAIMS_KEY)).toBeGreaterThan(0);
  expect(await liveClaims()).toBe(1);
});

it("what it cannot read of a neighbour is that of schema 1, and keeps nobody from starting", async () => {
  const redis = server.client();
  const soon = String(Date.now() + 60_000);
  for (const [node, text] of [
    ["NO_other", "{"],
    ["NO_text", '"text"'],
    ["NO_more", '{"writes":2,"livesWith":1,"service":"bridge","version":"9","shape":[1]}'],
  ] as const) {
    await redis.hset(BUILDS_KEY, node, text);
    await redis.zadd(CLAIMS_KEY, soon, node);
  }
  const { lines } = await running(release(2));
  expect(lines.at(-1)?.fields).toMatchObject({ others: { 1: 2 } });
});

async function liveClaims(): Promise<number> {
  return await server.client().zcount(CLAIMS_KEY, Date.now(), "+inf");
}
