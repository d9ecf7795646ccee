/**
 * Connections that the chart's router keeps to the api, used again at the very edge of the time for which they are kept. Who
 * closes one must be the router: closed by the api while a POST is on its way, it costs that POST a 502.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startNameServer } from "../kit/name-server.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { LEAST } from "./chart.js";
import { configOf, startRouter } from "./router.js";

/** Shipped are 60 s in the router and 620 s in the api. */
const POOL_MS = 1_000;
const API_MS = 2_000;
/** Newer Nodes close so much later than they say. */
const BUFFER_MS = 1_000;
const AT_ONCE = 24;
/** From the router to the api, one way: what one side does is known to the other only after this. */
const WAY_MS = 100;

const ends: (() => unknown)[] = [];
let redis: RedisServer;
let api: ServiceProcess;

beforeAll(async () => {
  redis = await startRedis();
  ends.push(() => redis.stop());
  api = await startService("api", {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: "key: a-secret-that-is-long-enough-for-this",
    MUSTER_DRAIN_MS: "0",
    MUSTER_HTTP_KEEP_ALIVE_MS: String(API_MS),
  });
  ends.push(() => api.stop());
}, 300_000);

afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const rendered = () => configOf(LEAST);

it("the router keeps connections to Muster for 60 s, and to its own clients for longer than balancers do", () => {
  const pools = rendered().match(/upstream \w+ \{[^}]*keepalive_timeout 60s;/g);
  expect(pools).toHaveLength(2);
  expect(rendered()).toMatch(/\n {2}keepalive_timeout 620s;/);
});

it("none of the POSTs is lost that meet a connection as its time is over", async () => {
  const names = await startNameServer();
  ends.push(() => names.stop());
  const config = rendered().replaceAll("keepalive_timeout 60s;", `keepalive_timeout ${POOL_MS}ms;`);
  const router = await startRouter(config, {
    namePort: names.port,
    services: {
      "muster-gateway.voice.svc.cluster.local:7880": api.port,
      "muster-api.voice.svc.cluster.local:7883": await longWay(api.port),
    },
  });
  ends.push(() => router.stop());
  const post = async () => {
    const request = { method: "POST", headers: { connection: "close" }, body: "{}" };
    return (await fetch(`${router.url}/v1/orders`, request)).status;
  };
  const postAll = () => Promise.all(Array.from({ length: AT_ONCE }, post));
  /** Without a token an order is answered 401: by the api, and so it is not lost. */
  const answered = Array.from({ length: AT_ONCE }, () => 401);
  // At the api's own edge the router must have let go of them: what it sends then arrives just after the api closed.
  for (const edgeMs of [POOL_MS, API_MS, API_MS + BUFFER_MS]) {
    expect(await postAll(), "to open connections").toEqual(answered);
    await passes(edgeMs - WAY_MS);
    expect(await postAll(), `after ${edgeMs} ms`).toEqual(answered);
  }
}, 60_000);

const passes = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A port that leads to `port`, with whatever is sent or ended there only after WAY_MS. */
async function longWay(port: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (bytes) => setTimeout(() => to.write(bytes), WAY_MS));
      from.on("end", () => setTimeout(() => to.end(), WAY_MS));
      from.on("error", () => setTimeout(() => to.destroy(), WAY_MS));
    }
  });
  ends.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
