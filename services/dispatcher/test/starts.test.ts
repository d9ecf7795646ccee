import type { GatewayMessage } from "@muster/domain/node-message";
import { createLog } from "@muster/runtime/log";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { JUDGING } from "./caller.js";
import { setStage } from "./stage.js";

const stage = setStage("starts");
const START_MS = 200;
const stops = ({ messages }: { messages: GatewayMessage[] }) =>
  messages.filter(({ kind }) => kind === "stop");

describe("a job that was accepted and is not seen to start", () => {
  it("on a worker known to report is stopped there, and offered to the next", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher();
    const gateway = await stage.gateway();
    const session = await stage.caller.session(namespace, "greeter", gateway.nodeId);
    const seen = await stage.caller.order(namespace, "greeter");
    const first = await waitUntil("a first job is offered", () => gateway.offers()[0]);
    await stage.caller.take(first, "reporting");
    const { job } = await stage.caller.order(namespace, "greeter");
    const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
    expect(offer).toMatchObject({ session });
    const other = await stage.caller.session(namespace, "greeter", gateway.nodeId);
    expect(await stage.caller.take(offer, "silent", START_MS)).toBe("started");
    const again = await waitUntil("the next is asked", () =>
      gateway.offers().find((one) => one.job === job && one.epoch > offer.epoch),
    );
    expect(again).toMatchObject({ session: other, resuming: false });
    const stop = { kind: "stop", namespace, session, job, wire: offer.wire };
    await waitUntil("the first is told to stop", () => stops(gateway).length > 0);
    expect(stops(gateway)).toEqual([stop]);
    expect(await dispatcher.metric('redispatches_total{reason="never_started"}')).toBe(1);
    expect(await stage.stateOf(namespace, seen.job)).toBe("running");
  });

  it("twice on the same worker is counted; of the last of its agent, which stays, apart, and said", async () => {
    const namespace = stage.freshNamespace();
    const lines: { msg: string }[] = [];
    const log = createLog({
      ...{ level: "warn", service: "test" },
      destination: { write: (line) => lines.push(JSON.parse(line)) },
    });
    const dispatcher = await stage.dispatcher({ coolMs: 60_000, log });
    const gateway = await stage.gateway();
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.order(namespace, "greeter");
    const first = await waitUntil("a first job is offered", () => gateway.offers()[0]);
    await stage.caller.take(first, "reporting");
    for (let count = 0; count < 2; count++) {
      const { job } = await stage.caller.order(namespace, "greeter", { maxAttempts: 1 });
      const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
      expect(await stage.caller.take(offer, "silent", START_MS)).toBe("started");
      await waitUntil("it is over", async () => (await stage.stateOf(namespace, job)) === "ended");
    }
    await waitUntil("it is counted", async () => {
      expect(await dispatcher.metric('worker_ejections_total{reason="never_starts"}')).toBe(0);
      expect(await dispatcher.metric("worker_ejections_last_of_pool_total")).toBe(1);
      return true;
    });
    const told = lines.filter(({ msg }) =>
      msg.startsWith("the only worker of its agent that can take work accepts jobs that never start"),
    );
    expect(told).toMatchObject([{ agent: "greeter", reason: "never_starts" }]);
  });

  it("on a worker that never reports is left to it, and ends as unknown at the long bound", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher({ silentJobMs: 1_200 });
    const { gateway, session, job, offer, offeredAgain } = await stage.runningJob(
      namespace,
      "silent",
      START_MS,
    );
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    const acceptedAtMs = Date.now();
    const stop = { kind: "stop", namespace, session, job, wire: offer.wire };
    await waitUntil("it is stopped", () => stops(gateway).length > 0, {
      invariant: async () => {
        if (Date.now() - acceptedAtMs < 1_000) expect(await stage.stateOf(namespace, job)).toBe("starting");
      },
    });
    expect(stops(gateway)).toEqual([stop]);
    expect(Date.now() - acceptedAtMs).toBeGreaterThanOrEqual(1_100);
    expect(await stage.caller.job(namespace, job)).toMatchObject({ state: "ended", outcome: "unknown" });
    expect(offeredAgain()).toEqual([]);
    expect(await dispatcher.metric('redispatches_total{reason="never_started"}')).toBe(0);
  });
});

describe("a job that failed", () => {
  it("is tried again after its back-off, resuming nothing, until its attempts are used up", async () => {
    const namespace = stage.freshNamespace();
    await stage.dispatcher();
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    const { job } = await stage.caller.order(namespace, "greeter", { maxAttempts: 2 });
    const fail = async (at: number) => {
      const offer = await waitUntil(`offer ${at + 1}`, () => offers()[at]);
      expect(offer).toMatchObject({ job, resuming: false });
      expect(await stage.caller.take(offer, "reporting")).toBe("started");
      const { wire, session } = offer;
      const report = { namespace, job, wire, session, status: "failed", message: "it broke", ...JUDGING };
      return (await stage.caller.ledger.report(report)).status;
    };
    expect(await fail(0)).toBe("retrying");
    const failedAtMs = Date.now();
    expect(await fail(1)).toBe("ended");
    expect(Date.now() - failedAtMs).toBeGreaterThanOrEqual(950);
    expect(await stage.caller.job(namespace, job)).toMatchObject({ outcome: "failed", error: "it broke" });
  });
});
