/** Agents that join their room and leave it at once: which of their jobs count as short. */

import { createLedger } from "@muster/ledger/ledger";
import type { RoomPerson } from "@muster/ledger/shapes";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ShortJobs } from "../src/rooms/agents/short-jobs.js";
import * as kit from "./kit.js";
import { type House, openHouse } from "./rooms-kit.js";

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

/** An agent that is in its room; somebody else is there too. */
async function served(room: string, company: "standard" | "egress" = "standard") {
  const { ledger } = house.api;
  await kit.registerWorker(ledger, { namespace: "default", agent: "agent" });
  const order = await house.order({ room, restart_policy: "never" });
  const jobOf = async () => {
    const [job] = (await house.seen(room, order)).jobs;
    if (job === undefined) throw new Error(`no job in ${room}`);
    return job;
  };
  const { id: job } = await jobOf();
  const held = await kit.startJob(ledger, "default", job);
  house.play((rooms) => rooms.startRoom(room));
  house.play((rooms) => rooms.join(room, "somebody", { kind: company }));
  await house.tell();
  house.play((rooms) => rooms.join(room, `agent-${job}`, { kind: "agent" }));
  await house.tell();
  return {
    job: jobOf,
    leave: async (who = `agent-${job}`) => {
      house.play((rooms) => rooms.leave(room, who));
      await house.tell();
    },
    report: async (status: "success" | "failed" = "success") => {
      const { wire } = await jobOf();
      const how = { status, message: "", startMs: 30_000, coolMs: 5_000, earlyMs: 10_000 };
      expect(await ledger.report({ ...held, wire, ...how })).toMatchObject({ status: "ended" });
    },
    isShort: async () => (await house.api.redis.hget(`muster:{default}:job:${job}`, "short")) === "1",
  };
}
const counted = async () => {
  const lines = (await house.api.metrics.render()).split("\n");
  return lines.filter((line) => line.startsWith("muster_jobs_short_total{"));
};

describe("a job whose agent was gone at once", () => {
  test("is short when a caller stayed and it ended well, whoever speaks first; told again, it counts no more", async () => {
    const alone = await served("alone", "egress");
    await alone.leave();
    await alone.report();
    const together = await served("together");
    await together.leave("somebody");
    await together.leave();
    await together.report();
    const failed = await served("failed");
    await failed.leave();
    await failed.report("failed");
    const long = await served("long");
    for (const name of ["1", "2", "3", "4", "5"]) house.play((rooms) => rooms.startRoom(`other-${name}`));
    await long.leave();
    await long.report();
    const left = await served("left");
    await left.leave();
    await left.report();
    const reported = await served("reported");
    await reported.report();
    await reported.leave();
    // The looks come in the order in which the agents left.
    await waitUntil("the last is looked at", reported.isShort, { deadlineMs: 15_000 });
    const all = [alone, together, failed, long, left, reported];
    expect(await Promise.all(all.map(({ isShort }) => isShort()))).toEqual([
      ...[false, false, false, false, true, true],
    ]);
    const twice = ['muster_jobs_short_total{agent="agent",deployment="(unnamed)"} 2'];
    await waitUntil("both are counted", async () => (await counted()).join() === twice.join());
    await house.deliver(house.livekit.events);
    expect(await counted()).toEqual(twice);
  }, 30_000);
});

describe("a look at a room", () => {
  const at = Date.UTC(2026, 0, 1);
  const agent = (left_at: number, left_reason = "CLIENT_INITIATED"): RoomPerson => ({
    ...{ sid: "PA_1", identity: "agent", kind: "agent", said_at: at, heard_at: at },
    ...{ joined_at: at, left_at, left_reason },
  });
  /** Looks twice at a room with such an agent, runs the looks at its job that this plans, and looks twice again. */
  async function looksAt(person: RoomPerson, shortJobMs = 3_000) {
    const { job } = await served("room");
    const fired: Array<() => void> = [];
    let pools = 0;
    const looks = new ShortJobs({
      ledger: createLedger(server.client()),
      ...{ metrics: { jobWasShort: () => void pools++ }, policy: { shortJobMs }, log: kit.silent },
      clock: {
        now: () => at,
        setTimer(_, run) {
          fired.push(run);
          return () => undefined;
        },
      },
    });
    const orders = { namespace: "default", orders: [{ order: {} as never, jobs: [await job()] }] };
    const { participantSid: sid } = await job();
    const look = { room: "room", sid: "", isLive: true, info: "", infoAt: 0, people: [{ ...person, sid }] };
    const plannedBy = () => {
      for (let time = 0; time < 2; time++) looks.look(look, orders);
      return fired.length;
    };
    const planned = plannedBy();
    for (const run of fired.splice(0)) run();
    await looks.stop();
    return { planned, pools, plannedAgain: plannedBy() };
  }

  test.each([
    [2_999, 1],
    [3_000, 1],
    [3_001, 0],
  ])("after a stay of %i ms plans %i more", async (stay, planned) => {
    expect(await looksAt(agent(at + stay))).toMatchObject({ planned, pools: 0 });
  });

  test("plans none when that is off, or when the agent is only moved", async () => {
    expect(await looksAt(agent(at), 0)).toMatchObject({ planned: 0 });
    expect(await looksAt(agent(at, "MIGRATION"))).toMatchObject({ planned: 0 });
  });

  test("looks again at one whose worker has not said yet how it went", async () => {
    expect(await looksAt(agent(at))).toEqual({ planned: 1, pools: 0, plannedAgain: 1 });
  });
});
