/** What LiveKit sees of a job's agent: that it joins, leaves, comes back; and what that says of the job. */

import type { ActorEnvelope } from "@muster/actor/actor-link";
import type { NamespaceMessage } from "@muster/domain/node-message";
import type { JobRecord } from "@muster/ledger/records";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as kit from "./kit.js";
import { whomOf } from "./orders-kit.js";
import { type House, openHouse } from "./rooms-kit.js";

const ROOM = "support";
let server: RedisServer;
let house: House;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  house = await openHouse(server);
});
afterEach(() => house.stop());
afterAll(() => server.stop());

const jobOf = async (order: string, whom = "the room"): Promise<JobRecord> => {
  const { jobs } = await house.seen(ROOM, order);
  const found = jobs.find((job) => whomOf(job) === whom);
  if (found === undefined) throw new Error(`${whom} has no job`);
  return found;
};

describe("the agent of a job", () => {
  /** A job that its worker accepted, or is seen to run; and its agent's name in the room. */
  async function started(kind: "starting" | "running") {
    await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent" });
    const id = await house.order({ room: ROOM });
    const { id: job } = await jobOf(id);
    const held = await kit.startJob(house.api.ledger, "default", job);
    if (kind === "running") await house.api.ledger.seen(held);
    house.play((rooms) => rooms.startRoom(ROOM));
    await house.tell();
    return { id, job, session: held.session, identity: `agent-${job}` };
  }
  const recordOf = async (job: string) => {
    const reply = await house.api.ledger.readRecord({ namespace: "default", kind: "job", id: job });
    return reply.status === "found" ? reply.record : {};
  };

  test("that joins makes it run", async () => {
    const { job, identity } = await started("starting");
    expect(await recordOf(job)).toMatchObject({ state: "starting" });
    const agent = house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
    await house.tell();
    expect(await recordOf(job)).toMatchObject({ state: "running", participant_sid: agent.sid });
  });

  test.each(["standard", "sip"] as const)("is nobody else (%s) who bears its identity", async (kind) => {
    const { job, identity } = await started("starting");
    house.play((rooms) => rooms.join(ROOM, identity, { kind }));
    house.play((rooms) => rooms.publish(ROOM, identity));
    await house.tell();
    expect(await recordOf(job)).toMatchObject({ state: "starting" });
    expect(await recordOf(job)).not.toHaveProperty("participant_sid");
    house.play((rooms) => rooms.leave(ROOM, identity));
    await house.tell();
    expect(await recordOf(job)).not.toHaveProperty("left_at");
  });

  describe("where presence is known, of a room that ends", () => {
    const ended = async (told: "all" | "none") => {
      const { job, identity } = await started("running");
      await house.api.redis.set("muster:{default}:presence", 1);
      if (told === "all") house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
      house.play((rooms) => rooms.finishRoom(ROOM));
      const events = house.untold();
      // Only the last word on the room comes in time.
      await house.deliver(told === "all" ? [...events.slice(0, 1), ...events.slice(-1)] : events.slice(-1));
      const { state, outcome, cause } = await recordOf(job);
      return [state, outcome, cause];
    };
    test("one that was there did its job", async () => {
      expect(await ended("all")).toEqual(["ended", "success", "room_finished"]);
    });
    test("one that nobody saw did not", async () => {
      expect(await ended("none")).toEqual(["ended", "canceled", "room_closed"]);
    });
  });

  test("whose connection was aborted never joined", async () => {
    const { job, identity } = await started("running");
    house.play((rooms) => rooms.beginJoin(ROOM, identity, { kind: "agent" }));
    house.play((rooms) => rooms.leave(ROOM, identity));
    await house.tell();
    const record = await recordOf(job);
    expect([record.participant_sid, record.left_at]).toEqual([undefined, undefined]);
  });

  test.each([
    ["CLIENT_INITIATED", "clean"],
    ["PARTICIPANT_REMOVED", "clean"],
    ["SERVER_SHUTDOWN", "failed"],
    ["SIGNAL_CLOSE", "failed"],
    ["UNKNOWN_REASON", "unknown"],
  ] as const)("that leaves with %s has left %s", async (reason, how) => {
    const { job, identity } = await started("running");
    house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
    house.play((rooms) => rooms.leave(ROOM, identity, reason));
    await house.tell();
    expect(await recordOf(job)).toMatchObject({ state: "running", left_how: how });
    expect(await house.api.redis.zscore("muster:{default}:deadlines", `job|${job}`)).not.toBeNull();
  });

  test.each(["DUPLICATE_IDENTITY", "MIGRATION"] as const)(
    "that was put out by itself (%s) has not left",
    async (reason) => {
      const { job, identity } = await started("running");
      house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
      const back = house.play((rooms) => rooms.rejoin(ROOM, identity, reason));
      const events = house.untold();
      // Its leave alone, and then its return, in any order.
      for (const event of [...events.slice(0, 2), ...events.slice(2).reverse(), ...events]) {
        await house.deliver([event]);
        expect(await recordOf(job)).not.toHaveProperty("left_how");
      }
      expect(await recordOf(job)).toMatchObject({ state: "running", participant_sid: back.sid });
    },
  );

  test("that comes back under another sid has not left, in whatever order that is told", async () => {
    const { job, identity } = await started("running");
    house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
    const back = house.play((rooms) => rooms.rejoin(ROOM, identity));
    await house.deliver(house.untold().reverse());
    expect(await recordOf(job)).toMatchObject({ state: "running", participant_sid: back.sid });
    expect(await recordOf(job)).not.toHaveProperty("left_how");
  });

  test("that left while its worker was lost is evidence: whoever hosts the namespace is told at once", async () => {
    const owner = await kit.fakeDispatcher(server);
    const { job, session, identity } = await started("running");
    house.play((rooms) => rooms.join(ROOM, identity, { kind: "agent" }));
    await house.tell();
    await house.api.ledger.deregisterSession({
      ...{ namespace: "default", session, goodbye: false, graceMs: 35_000, guardMs: 3_000 },
    });
    const hints = (): ActorEnvelope<NamespaceMessage>[] =>
      owner.received.filter(({ message }) => message.kind === "orphan");
    expect(hints()).toEqual([]);
    house.play((rooms) => rooms.leave(ROOM, identity, "SIGNAL_CLOSE"));
    await house.tell();
    await waitUntil("the owner is told", () => hints().length > 0);
    expect(hints()[0]).toEqual({ actor: "default", message: { kind: "orphan", job } });
    await owner.stop();
  });

  describe("that held its job before", () => {
    /** The job was taken from its first worker, and a second one accepted it. */
    async function takenOver() {
      await house.stop();
      house = await openHouse(server, { asks: true });
      const { ledger } = house.api;
      const first = await started("running");
      await kit.registerWorker(ledger, { namespace: "default", agent: "agent" });
      const lost = { namespace: "default", session: first.session, goodbye: false };
      await ledger.deregisterSession({ ...lost, graceMs: 35_000, guardMs: 3_000 });
      await ledger.settleOrphan({
        ...{ namespace: "default", job: first.job, epoch: 1, verdict: "absent", deserted: false },
        ...{
          resumeUnproven: false,
          removeMs: 0,
          recheckMs: 30_000,
          startMs: 0,
          silentMs: 60_000,
          stopMs: 20_000,
        },
      });
      const joins = (epoch: number, job = first.job) =>
        house.play((rooms) =>
          rooms.join(ROOM, first.identity, {
            kind: "agent",
            attributes: { "muster.job": job, "muster.epoch": String(epoch) },
          }),
        );
      const isThere = () => house.livekit.rooms.hasLive(ROOM, first.identity);
      return { ...first, joins, isThere };
    }
    const removed = async () => {
      const text = await house.api.metrics.render();
      return Number(/^muster_agents_removed_total\{reason="older_epoch"\} (\d+)$/m.exec(text)?.[1]);
    };
    const looked = () => house.livekit.calls.filter(({ method }) => method === "GetParticipant").length;

    test.each(["a webhook", "a round"])("and joins is put out, and no news of its job: by %s", async (by) => {
      const { job, joins, isThere } = await takenOver();
      await kit.startJob(house.api.ledger, "default", job);
      joins(1);
      if (by === "a webhook") await house.tell();
      else {
        house.untold();
        await house.api.redis.del("muster:rooms-round");
        const api = await kit.runApi(server, { livekitUrl: house.livekit.url, roomsEveryMs: 100 });
        await waitUntil("it is put out", () => !isThere());
        await api.stop();
      }
      await waitUntil("it is put out", () => !isThere());
      if (by === "a webhook") await waitUntil("it is counted", async () => (await removed()) === 1);
      await house.tell();
      const record = await recordOf(job);
      expect(record).toMatchObject({ state: "starting", accepted_epoch: "2" });
      expect(record).not.toHaveProperty("participant_sid");
      expect(record).not.toHaveProperty("left_at");
    });

    test("is left alone until another has accepted, and so is the present holder after a migration", async () => {
      const { job, joins, isThere } = await takenOver();
      joins(1);
      await house.tell();
      const { session, epoch } = await kit.startJob(house.api.ledger, "default", job);
      const back = await kit.registerWorker(house.api.ledger, { namespace: "default", agent: "agent" });
      const migrated = await house.api.ledger.migrateJobs({
        ...{ namespace: "default", session: back, claims: [{ job, wire: `${job}.2` }] },
        ...{ graceMs: 35_000, guardMs: 3_000, stopMs: 20_000 },
      });
      expect(migrated).toMatchObject({ moved: [{ epoch: epoch + 1 }], closed: [{ session }] });
      joins(epoch);
      house.untold();
      joins(epoch);
      await house.tell();
      expect(await recordOf(job)).toMatchObject({ state: "running", participant_sid: expect.any(String) });
      expect(isThere()).toBe(true);
      expect(looked()).toBe(0);
    });

    test("of another job, or without a mark, is nobody of ours to put out", async () => {
      const { job, identity, joins, isThere } = await takenOver();
      await kit.startJob(house.api.ledger, "default", job);
      joins(1, "AJ_another");
      await house.tell();
      house.play((rooms) => rooms.join(ROOM, identity));
      await house.tell();
      expect(isThere()).toBe(true);
      expect(looked()).toBe(0);
    });

    test("and is told of late, when the present holder is there, puts nobody out", async () => {
      const { job, joins, isThere } = await takenOver();
      await kit.startJob(house.api.ledger, "default", job);
      joins(1);
      const [before] = house.untold().filter(({ event }) => event === "participant_joined");
      const holder = joins(2);
      if (before === undefined) throw new Error("its joining was not told");
      await house.deliver([before]);
      await waitUntil("it was asked about", () => looked() === 1);
      await house.tell();
      expect(isThere()).toBe(true);
      expect(await recordOf(job)).toMatchObject({ state: "running", participant_sid: holder.sid });
      expect(await removed()).toBe(0);
    });
  });
});
