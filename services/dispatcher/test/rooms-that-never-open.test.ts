/** Orders for participants whose room does not come: somebody ends them in time, and nobody is kept busy until then. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { setStage } from "./stage.js";

const stage = setStage("never-open");

it("ends an order that waited for its room as long as it may, and counts it", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  const { order } = await stage.caller.order(namespace, "greeter", { upTo: "ledger", openForMs: 1_000 });
  const madeAtMs = Date.now();
  const state = () => stage.caller.orderState(namespace, order);
  expect(await state()).toBe("live");
  await waitUntil("it expires", async () => (await state()) === "expired", { deadlineMs: 15_000 });
  expect(Date.now() - madeAtMs).toBeGreaterThanOrEqual(950);
  await waitUntil("it is counted", async () => (await dispatcher.metric("orders_expired_total")) === 1);
});

it("lets the namespace go meanwhile, and comes back to it in time", async () => {
  const namespace = stage.freshNamespace();
  const awake = () => stage.caller.redis.hget(`muster:{${namespace}}:index`, "awake");
  const { order } = await stage.caller.order(namespace, "greeter", { upTo: "ledger", openForMs: 12_000 });
  const first = await stage.dispatcher();
  await waitUntil("it rests", async () => (await awake()) === null, { deadlineMs: 7_000 });
  await first.stop();

  const second = await stage.dispatcher();
  expect(second.hosted()).toBe(0);
  expect(await stage.caller.orderState(namespace, order)).toBe("live");
  const isExpired = async () => (await stage.caller.orderState(namespace, order)) === "expired";
  await waitUntil("it expires", isExpired, { deadlineMs: 20_000 });
});
