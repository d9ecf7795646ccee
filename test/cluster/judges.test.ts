/** Those who judge a cluster are judged first: each kind of violation, made on purpose, is found, and its excuse is known. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { Conditions } from "./conditions.js";
import { Invariants } from "./invariants.js";
import { OVERLAP_BOUND_MS, SETTLE_MS } from "./timing.js";
import { Witness } from "./witness.js";

const JOB = "AJ_22222222222222";

describe("the witness", () => {
  let nowMs: number;
  let conditions: Conditions;
  let witness: Witness;
  const at = (ms: number) => {
    nowMs = ms;
  };
  const worker = (name: string, gateway: string) => witness.watch(name, () => gateway);
  const run = (wire: string) => ({ wire, room: "room", token: "", assignedAtMs: nowMs });

  beforeEach(() => {
    at(0);
    conditions = new Conditions(() => nowMs);
    witness = new Witness({ conditions, now: () => nowMs });
    for (const name of ["redis", "gateway-0", "gateway-1"]) conditions.set(name, "up");
  });

  function startTwice(meanwhile: () => void): void {
    const [first, second] = [worker("first", "gateway-0"), worker("second", "gateway-1")];
    first.registered("AW_1", false);
    second.registered("AW_2", false);
    first.started(run(JOB));
    at(10_000);
    meanwhile();
    at(20_000);
    second.offered(`${JOB}.2`);
    second.started(run(`${JOB}.2`));
  }

  it("finds a job on two workers that could both be reached", () => {
    startTwice(() => {});
    expect(witness.violations).toEqual([expect.stringContaining(`${JOB} runs on first`)]);
  });

  it("takes a fault of the past for no excuse", () => {
    startTwice(() => {
      conditions.set("gateway-0", "frozen");
      at(20_000 - SETTLE_MS - 1);
      conditions.set("gateway-0", "up");
    });
    expect(witness.violations).toHaveLength(1);
  });

  it("knows the cause where there is one, and that even so it must end", () => {
    startTwice(() => conditions.set("gateway-0", "frozen"));
    expect(witness.overlaps).toMatchObject([{ cause: "gateway-0 frozen", endedAtMs: undefined }]);
    at(100_000);
    witness.check();
    expect(witness.violations, "while it is out of reach").toEqual([]);
    conditions.set("gateway-0", "up");
    at(100_000 + OVERLAP_BOUND_MS + SETTLE_MS);
    witness.check();
    expect(witness.violations, "within the bound").toEqual([]);
    at(100_001 + OVERLAP_BOUND_MS + SETTLE_MS);
    witness.check();
    expect(witness.violations).toEqual([expect.stringContaining("still runs on first")]);
  });
});

describe("the invariants", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  async function look(namespace: string, moments: Record<string, string>[]): Promise<string[]> {
    const client = redis.client();
    const witness = new Witness({ conditions: new Conditions(() => 0), now: () => 0 });
    const invariants = new Invariants({ redis: client, namespaces: [namespace], witness, jobsPerWorker: 1 });
    for (const fields of moments) {
      await client.del(`${namespaceTag(namespace)}job:${JOB}`);
      if (Object.keys(fields).length > 0) await client.hset(`${namespaceTag(namespace)}job:${JOB}`, fields);
      await invariants.look();
    }
    return invariants.violations;
  }

  it.each([
    [
      "an end that changes",
      [
        { state: "ended", outcome: "success" },
        { state: "ended", outcome: "failed" },
      ],
      "had ended as",
    ],
    ["an end that is taken back", [{ state: "ended" }, { state: "running" }], "had ended as"],
    [
      "an epoch that goes back",
      [
        { state: "queued", epoch: "2" },
        { state: "queued", epoch: "1" },
      ],
      "epoch went from 2 back to 1",
    ],
    ["a job that vanishes", [{ state: "queued" }, {}], "is gone, and was queued"],
    ["a job that nothing lists", [{ state: "queued" }], "listed in jobs is false"],
  ])("find %s", async (name, moments, problem) => {
    const found = await look(`judged:${name.replaceAll(" ", "-")}`, moments as Record<string, string>[]);
    expect(found.join("\n")).toContain(problem);
  });

  it("find an offer beyond the places that a session has", async () => {
    const places = `${namespaceTag("judged:cap")}session-jobs:AW_1`;
    await redis.client().zadd(places, "1", "AJ_a#1", "+inf", "AJ_b#1");
    expect((await look("judged:cap", [{}])).join("\n")).toContain("open offer among 2 places; 1 are allowed");
  });
});
