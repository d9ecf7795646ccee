/** The copy of a project's definitions: as new as each call for it, whatever else is under way and whatever Redis forgot. */

import { definitionsTag } from "@muster/ledger/keys";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Definitions, type ProjectDefinitions } from "../src/rules/definitions.js";
import * as kit from "./kit.js";

let server: RedisServer;
let redis: RedisClient;
let ledger: Ledger;

beforeAll(async () => {
  server = await startRedis();
  redis = server.client();
  ledger = createLedger(redis);
});
beforeEach(() => server.flush());
afterAll(() => server.stop());

const textOf = (agent: string, metadata = "") =>
  JSON.stringify({ when: { room_pattern: "*" }, orders: [{ agent_name: agent, metadata }] });
const put = (id: string, agent = id, metadata = "") =>
  ledger.putDefinition({
    ...{ project: "default", kind: "rules", id, text: textOf(agent, metadata), ifVersion: 0 },
    ...{ maxCount: 100, maxBytes: 100_000_000 },
  });
const agentsOf = ({ rules }: ProjectDefinitions) =>
  Object.fromEntries([...rules].map(([id, { body }]) => [id, body?.orders?.[0]?.agent_name]));

/** Counts reads, and holds back the reply of the first one for as long as asked. */
function copyWith(hold: () => Promise<void> = async () => undefined) {
  let reads = 0;
  const definitions = new Definitions({
    ledger: {
      async changedDefinitions(args) {
        const isFirst = ++reads === 1;
        const reply = await ledger.changedDefinitions(args);
        if (isFirst) await hold();
        return reply;
      },
    },
    log: kit.silent,
  });
  return { definitions, reads: () => reads };
}

test("has what was stored before the call, though a read was under way that has it not", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { definitions, reads } = copyWith(() => held);
  await put("one");
  const early = definitions.of("default");
  await waitUntil("it has asked Redis", async () => reads() === 1 && (await redis.ping()) === "PONG");
  await put("two");
  const late = Array.from({ length: 10 }, () => definitions.of("default"));
  release();
  expect(agentsOf(await early)).toEqual({ one: "one" });
  for (const definitionsThen of await Promise.all(late))
    expect(agentsOf(definitionsThen)).toEqual({ one: "one", two: "two" });
  // All that came meanwhile were served by one more.
  expect(reads()).toBe(2);
});

test("is read again after a read that failed", async () => {
  const { definitions } = copyWith(() => Promise.reject(new Error("gone")));
  await put("one");
  await expect(definitions.of("default")).rejects.toThrow("gone");
  expect(agentsOf(await definitions.of("default"))).toEqual({ one: "one" });
});

test("is read in parts when it is much", async () => {
  const { definitions, reads } = copyWith();
  for (const id of ["a", "b", "c", "d"]) await put(id, id, "m".repeat(3 * 1024 * 1024));
  expect(agentsOf(await definitions.of("default"))).toEqual({ a: "a", b: "b", c: "c", d: "d" });
  expect(reads()).toBe(2);
  expect(agentsOf(await definitions.of("default"))).toEqual({ a: "a", b: "b", c: "c", d: "d" });
  expect(reads()).toBe(3);
});

test("is what a Redis has that lost its last writes, and took in others", async () => {
  const { definitions } = copyWith();
  await put("one");
  const keys = ["rules", "rules-versions", "revision"].map((name) => definitionsTag("default") + name);
  const before = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  await put("one", "changed");
  await put("two");
  expect(agentsOf(await definitions.of("default"))).toEqual({ one: "changed", two: "two" });
  for (const [at, key] of keys.entries())
    await redis.restore(key, 0, before[at] ?? Buffer.alloc(0), "REPLACE");
  // Versions are times, and no Redis is back within the milliseconds in which it lost something.
  const lostAtMs = Date.now();
  await waitUntil("its clock has moved on", () => Date.now() > lostAtMs + 5);
  await put("three");
  expect(agentsOf(await definitions.of("default"))).toEqual({ one: "one", three: "three" });
});
