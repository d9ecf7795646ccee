/**
 * Whatever workers say and do, and however many claim at once: no offer goes to a session that was known to be full, that
 * drains, that is ejected, that is at its cap, or that is on probation and has a job already. Judged by what was told and
 * answered, not by what the ledger keeps.
 */
import { randomInt } from "node:crypto";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLedger } from "../src/ledger.js";
import type { Ejection } from "../src/shapes.js";
import { assertConsistent } from "./consistency.js";
import { newJob, OFFER_MS, POOL, SCAN, Scene } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

const SEQUENCES = 60;
const CAP = 3;
const SESSIONS = ["AW_0", "AW_1", "AW_2", "AW_3"];

const session = fc.constantFrom(...SESSIONS);
const says = fc.record({
  session,
  load: fc.constantFrom(0, 0.2, 0.65),
  status: fc.constantFrom("available", "available", "available", "full"),
  draining: fc.nat({ max: 7 }).map((chance) => chance === 0),
});
const does = fc.constantFrom(
  "accept",
  "accept",
  "silent",
  "silent",
  "reject",
  "reject",
  "fail",
  "success",
  "none",
);
const round = fc.record({
  says: fc.array(says, { maxLength: 2 }),
  does: fc.array(does, { maxLength: 6 }),
  passMs: fc.constantFrom(1, 1, 500, 2_500, 5_000, 10_000),
  claims: fc.integer({ min: 1, max: 8 }),
});

interface Known {
  closed: boolean;
  ejectedUntilMs: number;
  /** Jobs offered or held, by wire id, with when they were offered. */
  has: Map<string, { job: string; epoch: number; wire: string; accepted: boolean; atMs: number }>;
  /** Since its ejection; absent while nothing is held against it. */
  ejectedAtMs: number | undefined;
}

let redis: RedisServer;
let clients: RedisClient[];
beforeAll(async () => {
  redis = await startRedis();
  clients = [redis.client(), redis.client(), redis.client()];
});
afterAll(() => redis?.stop());

test("no offer to who is full, drains, is ejected, at its cap, or tried already", {
  timeout: 240_000,
}, async () => {
  const seed = randomInt(2 ** 31);
  process.stdout.write(`never-offered: seed ${seed}\n`);
  const met = { offered: 0, closed: 0, ejected: 0, capped: 0 };
  const property = fc.asyncProperty(
    fc.array(round, { minLength: 30, maxLength: 30, size: "max" }),
    async (rounds) => {
      const [first] = clients;
      if (first === undefined) throw new Error("no client");
      const scene = new Scene(first);
      const ledgers = clients.map(createLedger);
      const known = new Map<string, Known>();
      for (const id of SESSIONS) {
        await scene.worker(id, 0, { cap: CAP, reports: 1 });
        known.set(id, { closed: false, ejectedUntilMs: 0, has: new Map(), ejectedAtMs: undefined });
      }
      let jobs = 0;
      for (const { says, does, passMs, claims } of rounds) {
        scene.pass(passMs);
        for (const { session: id, load, status, draining } of says) {
          await scene.sample(id, load, { status: status as "available" | "full", draining });
          Object.assign(known.get(id) ?? {}, { closed: status === "full" || draining });
          // A full one was right to refuse: that may have ended its ejection.
          await refresh(scene, known, id);
        }
        for (const what of does) await act(scene, known, what);
        for (const id of SESSIONS) {
          const state = known.get(id);
          if (state !== undefined && state.ejectedUntilMs > scene.nowMs) continue;
          await scene.expireSession(id);
          await refresh(scene, known, id);
        }
        // Everybody's next claims at once, each through a connection of its own.
        const ids = Array.from({ length: claims }, () => `AJ_${jobs++}`);
        for (const id of ids) await scene.order(id.replace("AJ", "AD"), [newJob(id)]);
        const args = { ...scene.at, offerMs: OFFER_MS, scan: SCAN };
        const replies = await Promise.all([
          ...ids.map((job, index) => ledgers[index % 3]?.admit({ ...args, job, retryMs: 1_000 })),
          ...ledgers.map((ledger) => ledger.serve({ ...args, pool: POOL, heads: 8 })),
        ]);
        for (const state of known.values()) {
          if (state.closed) met.closed++;
          if (state.ejectedUntilMs > scene.nowMs) met.ejected++;
          if (state.has.size >= CAP) met.capped++;
        }
        for (const reply of replies) {
          if (reply?.status !== "offered") continue;
          met.offered++;
          const { session: id = "", id: job = "", epoch, wire = "" } = reply.job;
          const state = known.get(id);
          if (state === undefined) throw new Error(`offered to ${id}`);
          const tried = [...state.has.values()].filter(({ atMs }) => atMs > (state.ejectedAtMs ?? Infinity));
          expect({ id, closed: state.closed }).toEqual({ id, closed: false });
          expect(state.ejectedUntilMs, `${id} is ejected`).toBeLessThanOrEqual(scene.nowMs);
          expect(state.has.size, `places of ${id}`).toBeLessThan(CAP);
          expect(tried, `${id} is on probation`).toEqual([]);
          state.has.set(wire, { job, epoch: Number(epoch), wire, accepted: false, atMs: scene.nowMs });
        }
      }
      await assertConsistent(scene.redis, scene.namespace, scene.nowMs);
      await forgetNamespace(scene.redis, scene.namespace);
    },
  );
  await fc.assert(property, { seed, numRuns: SEQUENCES });
  for (const [what, count] of Object.entries(met)) expect(count, what).toBeGreaterThan(SEQUENCES);
});

/** The session with the oldest of its kind does something about it. */
async function act(scene: Scene, known: Map<string, Known>, what: string): Promise<void> {
  const wantsAccepted = what === "fail" || what === "success";
  const all = [...known].flatMap(([id, state]) =>
    [...state.has.values()].map((held) => ({ id, state, held })),
  );
  const fitting = all.filter(({ held }) => held.accepted === wantsAccepted);
  const [oldest] = fitting.sort((a, b) => a.held.atMs - b.held.atMs);
  if (oldest === undefined || what === "none") return;
  const { id, state, held } = oldest;
  if (what === "accept") {
    const reply = await scene.accept(held.job, id, held.epoch);
    if (reply.status === "started") held.accepted = true;
    else state.has.delete(held.wire);
    return;
  }
  state.has.delete(held.wire);
  const reply = wantsAccepted
    ? await scene.report(held.job, id, what === "fail" ? "failed" : "success", held.wire)
    : await scene.reject(held.job, id, held.epoch, what === "silent" ? "silent" : "rejected");
  if ("blame" in reply) {
    const { until_ms } = reply.blame as Ejection;
    Object.assign(state, { ejectedUntilMs: until_ms, ejectedAtMs: scene.nowMs });
  } else await refresh(scene, known, id);
}

/** Whether it was taken back is the ledger's to say: that it was too soon is another test's. */
async function refresh(scene: Scene, known: Map<string, Known>, id: string): Promise<void> {
  if ((await scene.field("session", id, "health")) !== undefined) return;
  Object.assign(known.get(id) ?? {}, { ejectedUntilMs: 0, ejectedAtMs: undefined });
}
