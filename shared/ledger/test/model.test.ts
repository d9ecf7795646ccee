import { randomInt } from "node:crypto";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertConsistent } from "./consistency.js";
import { poolOf } from "./ledger-model-state.js";
import { beginning, sequenceOf } from "./model-operations.js";
import { ModelStep } from "./model-step.js";
import { Scene } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

const SEQUENCES = 600;
const SEQUENCE_LENGTH = 200;

const MUST_OCCUR = [
  ...["settle kept", "settle resumed", "expireJob requeued", "deregister deregistered", "assert renewed"],
  ...["migrate migrated", "report retrying", "report running", "withdraw requeued", "restore restored"],
  ...["assert lapsed", "expireGateway lost", "reject requeued", "serve offered", "endRoom ended"],
  ...[
    "settle ended",
    "expireStop looking",
    "expireStop released",
    "confirmStop released",
    "confirmStop seen",
    "confirmStop doubted",
  ],
  ...["reject extended", "settleLate started", "settleLate noted", "settleLate ejected"],
  ...["reject ejected", "report ejected", "reinstate reinstated"],
  ...["expireJob fell_back", "setPlacement set", "hold held", "release released", "change changed"],
  ...["drain stored", "drain unknown", "undrain deleted"],
  ...["report checking", "expireJob unjoined", "settleUnjoined ended", "settleUnjoined retrying"],
  ...["settleUnjoined stopping", "settleUnjoined kept", "settleUnjoined stale"],
  ...["expireOrder expired", "roomOpens extended", "roomOpens closed", "roomCloses kept", "roomCloses ended"],
];

let redis: RedisServer;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
});
afterAll(() => redis?.stop());

test("random sequences leave the ledger and its model of one mind", { timeout: 240_000 }, async () => {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  process.stdout.write(`model: seed ${seed}\n`);
  let operations = 0;
  const answers = new Set<string>();
  const property = fc.asyncProperty(beginning, sequenceOf(SEQUENCE_LENGTH), async (begin, ops) => {
    const scene = new Scene(client);
    const step = new ModelStep(scene);
    await step.begin(begin.sessions, begin.jobs, begin.knowsPresence);
    // One that is ill gets work as always, or it would hardly ever come to be well again.
    if (begin.split !== null && begin.ails === "nothing")
      await step.run({ do: "setSplit", split: begin.split });
    if (begin.ails !== "nothing") await step.ail(begin.ails);
    for (const [index, op] of ops.entries()) {
      const sick = [...step.model.state.sessions].filter(([, { health }]) => health !== "ok");
      const [real, modelled] = await step.run(op);
      expect(real, `operation ${index}: ${JSON.stringify(op)}`).toBe(modelled);
      operations++;
      answers.add(`${op.do} ${real.split(" ")[0]}`);
      if (real.includes(" until ")) answers.add(`${op.do} ejected`);
      if (sick.some(([, { health }]) => health === "ok")) answers.add(`${op.do} cured`);
    }
    for (const [id, job] of step.model.state.jobs) {
      const { state, epoch, attempts } = job;
      const kept = await Promise.all(
        ["state", "epoch", "attempts", "pool"].map((field) => scene.field("job", id, field)),
      );
      expect([kept[0], Number(kept[1] ?? 0), Number(kept[2] ?? 0), kept[3]]).toEqual([
        state,
        epoch,
        attempts,
        poolOf(job),
      ]);
      const suspectAt = Number((await scene.field("job", id, "suspect_at")) ?? 0);
      expect(suspectAt, `${id} suspect_at`).toBe(job.suspectAt);
    }
    for (const id of step.open.orders.keys())
      expect([id, await scene.field("order", id, "state")]).toEqual([id, step.open.stateOf(id)]);
    for (const [id, { health, ejections, struck }] of step.model.state.sessions) {
      expect(Number((await scene.field("session", id, "ejections")) ?? 0), `${id} ejections`).toBe(ejections);
      const kept = ((await scene.field("session", id, "struck")) ?? "").split(";").slice(0, -1);
      expect(
        kept.map((entry) => entry.split(",").slice(0, 2)),
        `${id} struck`,
      ).toEqual(struck.map(({ reason, job }) => [reason, job]));
      expect((await scene.field("session", id, "health")) ?? "ok").toBe(health);
    }
    await assertConsistent(client, scene.namespace, scene.nowMs);
    await forgetNamespace(client, scene.namespace);
  });
  await fc.assert(property, { seed, numRuns: SEQUENCES });
  expect(operations).toBeGreaterThanOrEqual(100_000);
  // A generator that leads nowhere would agree as well.
  for (const rare of MUST_OCCUR) expect(answers).toContain(rare);
});
