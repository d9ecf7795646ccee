/** Jobs whose agent nobody saw in its room: when presence is asked about them, and what follows. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { type JoinQuestion, type JoinVerdict, noPresence, type Presence } from "../src/presence.js";
import { DOUBT_MS } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("unjoined");

/** A presence that is known, and says this of each agent. */
function known(verdict: JoinVerdict | (() => Promise<JoinVerdict>), company: boolean | "unknown" = true) {
  const asked: JoinQuestion[] = [];
  const presence: Presence = {
    ...noPresence,
    isKnown: async () => true,
    hasCompany: async () => (company === "unknown" ? undefined : company),
    async hasJoined(question) {
      asked.push(question);
      return typeof verdict === "string" ? verdict : await verdict();
    },
  };
  return { presence, asked };
}

/** The worker of a job says that all went well; nobody saw its agent. Another worker has room. */
async function reported(presence: Presence, policy: { doubtsReports?: boolean } = {}) {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher({ presence, ...policy });
  const running = await stage.runningJob(namespace, "reporting");
  const other = await stage.caller.session(namespace, "greeter", running.gateway.nodeId);
  const isMarked = async () => (await stage.caller.redis.exists(`muster:{${namespace}}:presence`)) === 1;
  if (policy.doubtsReports !== false && (await presence.isKnown()))
    await waitUntil("the namespace knows that presence is known", isMarked);
  await stage.caller.finish(running.offer);
  const record = () => stage.caller.job(namespace, running.job);
  return { ...running, namespace, dispatcher, other, record, isMarked };
}

const hasEnded = (record: () => Promise<Record<string, string>>, afterMs = 0) =>
  waitUntil(
    "it has ended",
    async () => {
      const job = await record();
      return job.state === "ended" && job;
    },
    { deadlineMs: afterMs + 5_000 },
  );

describe("a success of a job whose agent nobody saw", () => {
  it("is a failure when it never joined while somebody waits: the next worker is asked", async () => {
    const { presence, asked } = known("never");
    const { offeredAgain, other, offer, dispatcher, job } = await reported(presence);
    const [again] = await waitUntil("it is offered again", () => offeredAgain().length > 0 && offeredAgain());
    expect(again).toMatchObject({ session: other });
    expect(asked[0]).toMatchObject({
      job,
      epoch: offer.epoch,
      room: offer.room,
      agentIdentity: `agent-${job}`,
    });
    expect(await dispatcher.metric('redispatches_total{reason="never_joined"}')).toBe(1);
  });

  it("is over, and counted apart, when nobody is there", async () => {
    const { record, dispatcher, offeredAgain } = await reported(known("never", false).presence);
    expect(await hasEnded(record)).toMatchObject({ outcome: "canceled", cause: "never_joined" });
    expect(await dispatcher.metric('jobs_ended_total{outcome="never_joined"}')).toBe(1);
    expect(offeredAgain()).toEqual([]);
  });

  it.each([
    ["joined", known("joined")],
    ["nothing", known("unknown")],
  ])("stands when presence says %s", async (_, { presence }) => {
    const { record } = await reported(presence);
    expect(await hasEnded(record)).toMatchObject({ outcome: "success", cause: "reported" });
  });

  const away = () => Promise.reject(new Error("LiveKit is down"));
  it.each([
    ["that it never joined, and nothing of who else is there", known("never", "unknown")],
    ["nothing in time", known(() => new Promise<never>(() => {}))],
    ["that it cannot be asked", known(away)],
  ])("is doubted for a while, and then stands, when presence says %s", async (_, { presence }) => {
    const { record } = await reported(presence);
    const { left_at: leftAt } = await record();
    const { ended_at: endedAt, ...ended } = await hasEnded(record, DOUBT_MS);
    expect(ended).toMatchObject({ outcome: "success", cause: "reported" });
    expect(Number(endedAt) - Number(leftAt)).toBeGreaterThanOrEqual(DOUBT_MS);
  });

  it("is a failure when LiveKit, which was away, is back and knows that it never joined", async () => {
    let isAway = true;
    const { presence, asked } = known(async () => {
      if (isAway) return await away();
      return "never";
    });
    const { offeredAgain, other } = await reported(presence);
    await waitUntil("it was asked", () => asked.length > 0, { deadlineMs: 10_000 });
    isAway = false;
    const [again] = await waitUntil(
      "it is offered again",
      () => offeredAgain().length > 0 && offeredAgain(),
      {
        deadlineMs: 15_000,
      },
    );
    expect(again).toMatchObject({ session: other });
  });

  it("stands at once where no LiveKit is known, or where that is asked for", async () => {
    const unknown = await reported(noPresence);
    expect(await unknown.record()).toMatchObject({ state: "ended", outcome: "success" });
    const { presence, asked } = known("never");
    const believed = await reported(presence, { doubtsReports: false });
    expect(await believed.record()).toMatchObject({ state: "ended", outcome: "success" });
    expect([asked, await believed.isMarked()]).toEqual([[], false]);
  });

  it("is doubted as soon as its namespace wakes from its rest", async () => {
    const { namespace, session, other, gateway, record, isMarked } = await reported(known("joined").presence);
    await hasEnded(record);
    for (const gone of [session, other]) await stage.caller.lose(namespace, gone);
    const isAwake = () => stage.caller.redis.hexists(`muster:{${namespace}}:index`, "awake");
    await waitUntil("it rests", async () => (await isAwake()) === 0, { deadlineMs: 10_000 });
    expect(await isMarked()).toBe(false);
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.order(namespace, "greeter");
    // The next review may be 2 s away.
    await waitUntil("it knows again that presence is known", isMarked, { deadlineMs: 1_000 });
  });

  it("is settled by the next host when the one that was told dies", async () => {
    const { dispatcher, record } = await reported(known(() => new Promise<never>(() => {})).presence);
    await dispatcher.stop();
    await stage.dispatcher({ presence: known("never", false).presence });
    expect(await hasEnded(record)).toMatchObject({ cause: "never_joined" });
  });
});
