/** Orders on hold keep no dispatcher busy, and are found again with their release. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { setStage } from "./stage.js";

const stage = setStage("on-hold");

it("lets a namespace go where all that waits is on hold, and is told of it again with the release", async () => {
  const namespace = stage.freshNamespace();
  const awake = () => stage.caller.redis.hget(`muster:{${namespace}}:index`, "awake");
  const { order, job } = await stage.caller.order(namespace, "greeter", { held: 1, upTo: "ledger" });
  expect(await awake()).toBe("1");
  const first = await stage.dispatcher();
  await waitUntil("it rests", async () => (await awake()) === null, { deadlineMs: 15_000 });
  expect(await stage.stateOf(namespace, job)).toBe("parked");
  await first.stop();

  // Nothing of it is due for an hour.
  const second = await stage.dispatcher();
  expect(second.hosted()).toBe(0);
  expect(await stage.caller.release(namespace, order)).toEqual({ status: "released", more: 0, serve: [] });
  await waitUntil("it is hosted", () => second.hosted() === 1, { deadlineMs: 15_000 });
  const { nodeId, offers } = await stage.gateway();
  await stage.caller.session(namespace, "greeter", nodeId);
  await waitUntil("it is offered", () => offers().some((offer) => offer.job === job));
});
