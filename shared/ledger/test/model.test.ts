import { randomInt } from "node:crypto";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertConsistent } from "./consistency.js";
import { LedgerModel } from "./ledger-model.js";
import { LEASE_MS, newJob, POOL, Scene } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

const SEQUENCES = 220;
const SEQUENCE_LENGTH = 100;

let redis: RedisServer;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
});
afterAll(() => redis?.stop());

const job = fc.constantFrom("AJ_0", "AJ_1", "AJ_2", "AJ_3", "AJ_4", "AJ_5");
const session = fc.constantFrom("AW_0", "AW_1", "AW_2", "AW_3");
/** Mostly the session and the epoch that the ledger has, else some other. */
const at = fc.record({ job, other: fc.option(session, { freq: 2 }), late: fc.nat({ max: 9 }) });
const load = fc.constantFrom(-1, 0, 0.1, 0.3, 0.65, 0.7, 1);

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("register" as const), session, cap: fc.nat({ max: 3 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("sample" as const), session, load, full: fc.nat({ max: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("order" as const), job, priority: fc.nat({ max: 1 }) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("admit" as const, "expireJob" as const), job }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("serve" as const) }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant("accept" as const), at }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("seen" as const), at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant("reject" as const), at, terminate: fc.nat({ max: 6 }) },
      reason: fc.constantFrom("rejected", "silent", "undelivered"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...{
        do: fc.constant("report" as const),
        at,
        status: fc.constantFrom("running", "running", "success", "failed"),
      },
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("terminate" as const, "delete" as const, "end" as const),
      job,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("deregister" as const, "expireSession" as const), session }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("assert" as const), held: fc.array(at, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("expireStop" as const, "expireGateway" as const) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 1, 1, 500, 1_000, 3_500, 5_000, 30_000, 35_000, LEASE_MS / 3, LEASE_MS),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
type At = typeof at extends fc.Arbitrary<infer T> ? T : never;

const words = (...parts: unknown[]) => parts.filter((part) => part !== undefined && part !== "").join(" ");

/** Runs one operation on both and answers what each said. */
async function step(
  scene: Scene,
  model: LedgerModel,
  op: Operation,
): Promise<[real: string, modelled: string]> {
  const aim = ({ job: id, other, late }: At) => {
    const known = model.jobs.get(id);
    const epoch = (known?.epoch ?? 1) - (late === 0 ? 1 : 0);
    return [id, other ?? (known?.session || "AW_0"), epoch] as const;
  };
  switch (op.do) {
    case "register": {
      const gateway = gatewayOf(op.session);
      const reply = await scene.register(op.session, { cap: op.cap }, gateway);
      return [reply.status, model.register(op.session, gateway, op.cap)];
    }
    case "sample": {
      const status = op.full === 0 ? "full" : "available";
      const gateway = gatewayOf(op.session);
      const reply = await scene.sample(op.session, op.load, { status }, gateway);
      const real = words(reply.status, reply.unknown.length > 0 ? "unknown" : "");
      return [real, model.sample(op.session, gateway, op.load, status)];
    }
    case "order": {
      const reply = await scene.order(op.job, [newJob(op.job)], { priority: op.priority });
      return [reply.status, model.order(op.job, op.priority)];
    }
    case "admit": {
      const reply = await scene.admit(op.job);
      const { status } = reply;
      const real =
        status === "offered"
          ? words(status, reply.job.id, reply.job.session, reply.job.epoch)
          : words(status, status === "parked" ? reply.behind : status === "idle" ? reply.state : "");
      return [real, model.admit(op.job)];
    }
    case "serve": {
      const reply = await scene.serve(POOL);
      const job = reply.status === "offered" ? reply.job : {};
      return [words(reply.status, job.id, job.session, job.epoch), model.serve()];
    }
    case "accept": {
      const reply = await scene.accept(...aim(op.at));
      return [words(reply.status, reply.status === "stale" ? reply.state : ""), model.accept(...aim(op.at))];
    }
    case "seen": {
      const reply = await scene.seen(...aim(op.at));
      return [words(reply.status, reply.status === "stale" ? reply.state : ""), model.seen(...aim(op.at))];
    }
    case "reject": {
      const reply = await scene.reject(...aim(op.at), op.reason, op.terminate === 0);
      const real = words(reply.status, reply.status === "stale" ? reply.state : "");
      return [real, model.reject(...aim(op.at), op.reason, op.terminate === 0)];
    }
    case "report": {
      const [id, from] = aim(op.at);
      const wire = op.at.late === 0 ? id : model.wire(id);
      const reply = await scene.report(id, from, op.status, wire);
      const real = words(reply.status, reply.status === "refused" ? reply.reason : "");
      return [real, model.report(id, from, wire, op.status)];
    }
    case "terminate": {
      const reply = await scene.terminate(op.job);
      const detail =
        reply.status === "final" ? reply.outcome : reply.status === "terminated" && reply.stop ? "stop" : "";
      return [words(reply.status, detail), model.terminate(op.job)];
    }
    case "delete": {
      const reply = await scene.deleteOrder(op.job);
      const modelled = model.terminate(op.job);
      const real = reply.status === "unknown" ? "unknown" : `deleted ${reply.stops.length}`;
      return [real, modelled === "unknown" ? modelled : `deleted ${modelled === "terminated stop" ? 1 : 0}`];
    }
    case "end": {
      const reply = await scene.endJob(op.job);
      return [words(reply.status, reply.status === "final" ? reply.outcome : ""), model.endJob(op.job)];
    }
    case "deregister": {
      const reply = await scene.deregister(op.session);
      return [
        reply.status === "unknown" ? "unknown" : `deregistered ${fates(reply)}`,
        model.deregister(op.session),
      ];
    }
    case "expireSession":
      return [(await scene.expireSession(op.session)).status, model.expireSession(op.session)];
    case "expireJob": {
      const reply = await scene.expireJob(op.job);
      return [words(reply.status, reply.status === "ended" ? reply.outcome : ""), model.expireJob(op.job)];
    }
    case "assert": {
      const claims = new Map(op.held.map((held) => [held.job, aim(held)]));
      const held = [...claims].map(([id, [, from, epoch]]) => ({
        job: id,
        session: from,
        epoch,
        wire: model.wire(id),
      }));
      const reply = await scene.assert(held);
      const mine = (stop: { job: string; session: string }) => held.some((h) => h.job === stop.job);
      const answers = held.map(({ job: id, session: from, wire }) => {
        if (reply.status !== "renewed" || reply.unknown.includes(id)) return "unknown";
        const told = reply.stops
          .filter(mine)
          .some((stop) => `${stop.session}|${stop.wire}` === `${from}|${wire}`);
        return told ? "stop" : "stands";
      });
      return [reply.status === "lapsed" ? "lapsed" : `renewed ${answers.join()}`, model.assert("NO_g", held)];
    }
    case "expireStop": {
      const field = [...model.stops.keys()].sort()[0] ?? "AW_0|AJ_0";
      return [(await scene.expireStop(field)).status, model.expireStop(field)];
    }
    case "expireGateway": {
      const reply = await scene.expireGateway();
      return [reply.status === "idle" ? "idle" : `lost ${fates(reply)}`, model.expireGateway("NO_g")];
    }
    case "pass":
      scene.pass(op.ms);
      model.nowMs = scene.nowMs;
      return ["", ""];
  }
}

/** One session has a gateway of its own, so that leases end at different times. */
const gatewayOf = (id: string) => (id === "AW_3" ? "NO_h" : "NO_g");

function fates(reply: { requeued?: string[]; orphaned?: string[] }): string {
  const requeued = (reply.requeued ?? []).map((id) => `${id} requeued`);
  return [...requeued, ...(reply.orphaned ?? []).map((id) => `${id} orphaned`)].sort().join();
}

test("random sequences leave the ledger and its model of one mind", { timeout: 60_000 }, async () => {
  const seed = randomInt(2 ** 31);
  process.stdout.write(`model: seed ${seed}\n`);
  let operations = 0;
  const sequence = fc.array(operation, {
    minLength: SEQUENCE_LENGTH,
    maxLength: SEQUENCE_LENGTH,
    size: "max",
  });
  const property = fc.asyncProperty(sequence, async (ops) => {
    const scene = new Scene(client);
    const model = new LedgerModel();
    model.nowMs = scene.nowMs;
    for (const [index, op] of ops.entries()) {
      const [real, modelled] = await step(scene, model, op);
      expect(real, `operation ${index}: ${JSON.stringify(op)}`).toBe(modelled);
      operations++;
    }
    for (const [id, { state, epoch }] of model.jobs) {
      expect([await scene.field("job", id, "state"), await scene.field("job", id, "epoch")]).toEqual([
        state,
        `${epoch}`,
      ]);
    }
    await assertConsistent(client, scene.namespace, scene.nowMs);
    await forgetNamespace(client, scene.namespace);
  });
  await fc.assert(property, { seed, numRuns: SEQUENCES });
  expect(operations).toBeGreaterThanOrEqual(20_000);
});
