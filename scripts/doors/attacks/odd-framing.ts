/**
 * Requests whose beginning or end can be read in two ways, at both doors: each is refused and its connection closed, and
 * none leads to another path than the one that it names.
 */
import { type Attack, MARK } from "../attack.js";
import { openRaw, pause, rawRequest, statusOf } from "../sockets.js";

const get = (target: string, more = "") => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const post = (more: string, body: string) =>
  `POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${more}\r\n${body}`;

/** Name, bytes. What each must be answered: 400, 404, 413, 431, 501, or nothing and a closed connection. */
const ODD: readonly (readonly [name: string, bytes: string])[] = [
  ["a host that ends the path", "GET /nothing HTTP/1.1\r\nHost: x/metrics#\r\n\r\n"],
  ["a backslash in the path", get("/v1\\..\\metrics")],
  ["dot segments", get("/v1/../metrics")],
  ["encoded dot segments", get("/v1/%2e%2e/metrics")],
  ["two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}x")],
  ["a length and chunks", post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["an unknown coding", post("Transfer-Encoding: gzip, odd\r\n", "{}")],
  ["a signed length", post("Content-Length: +2\r\n", "{}")],
  ["a folded header", get("/nothing", "X-A: b\r\n c\r\n")],
  ["a bare line feed", "GET /metrics HTTP/1.1\nHost: x\n\n"],
  ["no host", "GET /metrics HTTP/1.1\r\n\r\n"],
  ["two hosts", get("/metrics", "Host: y\r\n")],
  ["a space before the colon", get("/metrics", "X-A : b\r\n")],
  ["a zero byte in a header", get("/metrics", "X-A: b\0c\r\n")],
];

export const oddFraming: Attack = {
  name: "odd-framing",
  about: "requests that can be read in two ways, at both doors, and a WebSocket of version 12",
  leaves: "refused",
  run: async ({ api, gateway, tokens, signal }) => {
    const letIn: string[] = [];
    const doors = Object.entries({ gateway, api });
    for (const [door, url] of doors)
      for (const [name, bytes] of ODD) {
        const status = statusOf(await rawRequest(url, bytes, 1_000).catch(() => ""));
        if (status >= 200 && status < 400) letIn.push(`${door} took ${name} (${status})`);
        if (signal.aborted) break;
      }
    for (const [door, url] of doors)
      if ((await answersTo(url, post("Transfer-Encoding: chunked\r\n", TRAILED))) > 1)
        letIn.push(`${door} took trailers as a request`);
    const status = statusOf(await rawRequest(gateway, upgrade(tokens.worker()), 1_000));
    if (status === 101) letIn.push("gateway took a WebSocket of version 12");
    return { figures: { requests: doors.length * (ODD.length + 1) + 1, letIn: letIn.length }, broken: letIn };
  },
};

/** The last chunk, and behind it a trailer that looks like a request. */
const TRAILED = `0\r\nGET /healthz HTTP/1.1\r\nX-${MARK}: 1\r\n\r\n`;

/** How many answers one write brings. */
async function answersTo(url: string, bytes: string): Promise<number> {
  const { socket, answer, closed } = await openRaw(url);
  socket.write(bytes, "latin1");
  await Promise.race([closed, pause(500, new AbortController().signal)]);
  socket.destroy();
  return answer().match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0;
}

function upgrade(token: string): string {
  return (
    `GET /agent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`
  );
}
