/** One claim after the other, without the actor around them: who is asked when there is room, and when a gateway is gone. */
import { createMetrics } from "@muster/runtime/metrics";
import { describe, expect, it } from "vitest";
import { Assign } from "../src/assign.js";
import { dispatcherMetrics } from "../src/metrics.js";
import { noPresence } from "../src/presence.js";
import { poolOf } from "./caller.js";
import { clock, log, newId, testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("serving");
/** What one worker of these tests has room for: load 1 at most, 0.1 a job. */
const ROOM = 10;

function assignIn(namespace: string): Assign {
  const { ledger, outbox } = stage.caller;
  const metrics = dispatcherMetrics(createMetrics({ service: "dispatcher" }));
  const onDue = () => {};
  const policy = testPolicy;
  return new Assign({ namespace, ledger, outbox, presence: noPresence, policy, metrics, clock, log, onDue });
}

const ordered = async (namespace: string) =>
  (await stage.caller.order(namespace, "greeter", { upTo: "ledger" })).job;

describe("room for many", () => {
  it("is offered to as many as wait and fit, at once, and to no more", async () => {
    const namespace = stage.freshNamespace();
    const assign = assignIn(namespace);
    const jobs: string[] = [];
    for (let index = 0; index < ROOM + 2; index++) {
      const job = await ordered(namespace);
      await assign.admit(job);
      jobs.push(job);
    }
    const { nodeId } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId, { told: false });
    await assign.serve(poolOf("greeter"));
    const states = await Promise.all(jobs.map((job) => stage.stateOf(namespace, job)));
    expect(states.filter((state) => state === "offered")).toHaveLength(ROOM);
    expect(states.filter((state) => state === "parked")).toHaveLength(2);
  });

  it("goes first to who waits for it, also when somebody else comes", async () => {
    const namespace = stage.freshNamespace();
    const assign = assignIn(namespace);
    const first = await ordered(namespace);
    await assign.admit(first);
    const { nodeId } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId, { told: false });
    const second = await ordered(namespace);
    await assign.admit(second);
    const [one, other] = [
      await stage.caller.job(namespace, first),
      await stage.caller.job(namespace, second),
    ];
    expect([one.state, other.state]).toEqual(["offered", "offered"]);
    expect(Number(one.offered_at)).toBeLessThanOrEqual(Number(other.offered_at));
  });
});

describe("an offer for a gateway that is gone", () => {
  it("goes to the next at once, and nobody is blamed", async () => {
    const namespace = stage.freshNamespace();
    const lost = await stage.caller.session(namespace, "greeter", newId("node"), { session: "AW_1" });
    const { nodeId } = await stage.gateway();
    const next = await stage.caller.session(namespace, "greeter", nodeId, { session: "AW_2" });
    const job = await ordered(namespace);
    expect(await assignIn(namespace).admit(job)).toBe("moved");
    expect(await stage.caller.job(namespace, job)).toMatchObject({
      state: "offered",
      session: next,
      excluded: lost,
    });
    const silent = await stage.caller.redis.hget(`muster:{${namespace}}:session:${lost}`, "struck");
    expect(silent).toBeNull();
  });
});
