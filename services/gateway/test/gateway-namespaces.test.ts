/**
 * Namespaces that have workers are bounded in number, over real sockets and several gateways: who comes with one more is refused
 * and leaves nothing, and all that was there before goes on.
 */
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import { type Bench, bench, cleanUp, type RunningGateway, stopRedis } from "./gateway-kit.js";

afterEach(async () => {
  await cleanUp();
  await stopRedis();
});
afterAll(stopRedis);

const MOST = 3;
const AGENT = "muster:{directory:default}:agent:agent";
const LIVE = "muster:{directory:default}:live-namespaces";
const EMPTY = "muster:{directory:default}:empty-namespaces";

async function twoGateways(b: Bench): Promise<[RunningGateway, RunningGateway]> {
  const options = { policy: { maxNamespaces: MOST } };
  return [await b.start(options), await b.start(options)];
}

/** Registered, or the code and reason with which it was closed. */
async function come(b: Bench, gateway: RunningGateway, namespace: string) {
  const worker = await b.worker(gateway);
  const isIn = await worker.register({ agentName: "agent", namespace }).then(
    () => true,
    () => false,
  );
  return { worker, closed: isIn ? undefined : await worker.closed() };
}

it("are no more than the bound, however many come at once and to whichever gateway; the reason says what to do", async () => {
  const b = await bench();
  const gateways = await twoGateways(b);
  const comers = await Promise.all(
    Array.from({ length: 40 }, (_, index) => come(b, gateways[index % 2] as RunningGateway, `n${index}`)),
  );
  const refused = comers.filter(({ closed }) => closed !== undefined);
  expect(comers.length - refused.length).toBe(MOST);
  for (const { closed } of refused) {
    expect(closed?.code).toBe(4423);
    expect(closed?.reason).toMatch(
      /^register\.namespace: 3 namespaces have workers, or had within 3 min; use one, or raise MUSTER_MAX_NAMESPACES; new is n\d+$/,
    );
  }
  expect(await b.client.scard(AGENT)).toBe(MOST);
  expect(await b.client.zcard(LIVE)).toBe(MOST);
  const traces = (await b.client.keys("muster:{default:n*")).map((key) =>
    key.replace(/^.*\{(.*)\}.*$/, "$1"),
  );
  expect(new Set(traces).size).toBe(MOST);
  expect(await gateways[0].metric('refusals_total{reason="too_many_namespaces"}')).toBeGreaterThan(0);

  // Those that are in, and the default one, take more workers and other agents.
  const inside = comers.find(({ closed }) => closed === undefined)?.worker as WorkerClient;
  const index = comers.findIndex(({ worker }) => worker === inside);
  for (const name of [`n${index}`, ""])
    for (const gateway of gateways) expect((await come(b, gateway, name)).closed).toBeUndefined();
});

it("let one in where work waits", async () => {
  const b = await bench();
  const [gateway] = await twoGateways(b);
  for (let index = 0; index < MOST; index++) await come(b, gateway, `n${index}`);
  await b.dispatcher.order();
  expect((await come(b, gateway, b.field)).closed).toBeUndefined();
});

it("make room when one has been left for minutes", async () => {
  const b = await bench();
  const [gateway] = await twoGateways(b);
  const [first] = await Promise.all([0, 1, 2].map((index) => come(b, gateway, `n${index}`)));
  await first?.worker.close();
  expect((await come(b, gateway, "late")).closed?.code).toBe(4423);
  // As when three minutes are over.
  await b.client.zadd(LIVE, "XX", 1, "default:n0");
  expect((await come(b, gateway, "late")).closed).toBeUndefined();
});

it("that was left is said to be, until somebody comes again", async () => {
  const b = await bench();
  const [gateway] = await twoGateways(b);
  const isEmpty = async () => (await b.client.zscore(EMPTY, "default:n0")) !== null;
  for (let time = 0; time < 3; time++) {
    const { worker } = await come(b, gateway, "n0");
    expect(await isEmpty()).toBe(false);
    await worker.close();
    await waitUntil("it is empty", isEmpty);
  }
});
