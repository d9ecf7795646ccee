/**
 * What the suites of the proxy share: a LiveKit of their own over real sockets, and a front door of Muster before it. All
 * of it is closed behind each test.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Server as TcpServer } from "node:net";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { createMetrics } from "@muster/runtime/metrics";
import { serveHttp } from "@muster/runtime/serve-http";
import { freePort } from "@muster/test/kit/ports";
import { afterEach } from "vitest";
import type { ApiKeys } from "../src/auth.js";
import { Bodies } from "../src/bodies.js";
import { DOOR_DEFAULTS } from "../src/door-policy.js";
import { createFrontDoor } from "../src/front-door.js";
import { httpMeter } from "../src/http-meter.js";
import { apiMetrics } from "../src/metrics.js";
import { createLivekitProxy } from "../src/proxy/livekit-proxy.js";
import { keys, silent, token } from "./kit.js";

export const PEER = "203.0.113.9";
/** Of a server: it speaks for its key. */
export const authorized = () => ({ authorization: `Bearer ${token({ roomList: true })}` });
export const LIST_ROOMS = "/twirp/livekit.RoomService/ListRooms";

export const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export async function listening(server: Server | TcpServer): Promise<string> {
  const port = await freePort();
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => void server.close(resolve)));
  if ("closeAllConnections" in server) closing.push(() => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export const upstream = (handler: Handler) => listening(createServer(handler));

/** A Muster's front door; only its own service is answered there. */
export async function muster(
  livekitUrl: string,
  {
    clock = systemClock,
    most = DOOR_DEFAULTS.livekitCalls,
    keySets = [keys],
  }: { clock?: Clock; most?: number; keySets?: ApiKeys[] } = {},
) {
  const registry = createMetrics({ service: "api" });
  const bodies = new Bodies({ policy: DOOR_DEFAULTS, clock: systemClock });
  const deps = { url: livekitUrl, keySets, bodies, most, metrics: apiMetrics(registry), clock, log: silent };
  const frontDoor = createFrontDoor({
    meter: httpMeter(createMetrics({ service: "api" })),
    twirp: async (_request, path) => new Response(`ours: ${path}`),
    rest: async () => new Response("rest"),
    ops: async () => new Response("ops"),
    livekit: { url: livekitUrl, forward: createLivekitProxy(deps) },
  });
  const fetchHere = (given: Request) => frontDoor(given, PEER);
  const http = await serveHttp({ host: "127.0.0.1", port: await freePort(), fetch: fetchHere, log: silent });
  closing.push(() => http.close());
  return { url: `http://127.0.0.1:${http.port}`, registry, bodies };
}

export async function textOf(req: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of req) text += String(chunk);
  return text;
}
