/** A job that nobody takes goes on to the next agent of its order: who is asked then, and when not yet. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { newId, testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("fallback");
const AFTER_MS = 300;
const fallback = { agent: "second", afterMs: AFTER_MS };

it("asks the step's worker, under its own name, when the time has come", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  const { nodeId, offers } = await stage.gateway();
  const session = await stage.caller.session(namespace, "second", nodeId);
  const { order, job } = await stage.caller.order(namespace, "first", { fallback });
  const [offer] = await waitUntil("it is offered", () => offers().length > 0 && offers());
  expect(offer).toMatchObject({ job, order, session, agentName: "second", metadata: "hello" });
  const { created_at, offered_at } = await stage.caller.job(namespace, job);
  expect(Number(offered_at) - Number(created_at)).toBeGreaterThanOrEqual(AFTER_MS);
  expect(await dispatcher.metric("jobs_fell_back_total")).toBe(1);
});

it("goes no step while its own workers may only not be back yet, after a gap of ours", async () => {
  const namespace = stage.freshNamespace();
  const { nodeId, offers } = await stage.gateway();
  const { job } = await stage.caller.order(namespace, "first", { fallback, upTo: "ledger" });
  const admitted = await stage.caller.ledger.admit({ namespace, job, ...testPolicy.claim });
  expect(admitted.status).toBe("parked");
  await stage.caller.session(namespace, "second", nodeId, { told: false });
  const dueAt = Number((await stage.caller.job(namespace, job)).created_at) + AFTER_MS;
  await waitUntil("its step is overdue", () => Date.now() > dueAt);
  const dispatcher = await stage.dispatcher({ holdMs: 15_000 });
  await waitUntil("it is hosted", () => dispatcher.hosted() > 0);
  const looks = dispatcher.commands.total();
  await waitUntil("it has looked at its timers", () => dispatcher.commands.total() >= looks + 6);
  const session = await stage.caller.session(namespace, "first", nodeId, { session: newId("session") });
  await waitUntil("it is offered", () => offers().length > 0);
  expect(offers()).toMatchObject([{ job, session, agentName: "first" }]);
});
