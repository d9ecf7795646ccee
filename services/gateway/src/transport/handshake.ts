/**
 * Whether a request for an agent socket is a WebSocket handshake to the letter (RFC 6455, 4.2.1). uWebSockets.js takes
 * anything with a key of 24 bytes for one, and `ws` has rules of its own: this is asked first, on both.
 */
import type { HeadProblem, RequestHead } from "@muster/runtime/request-head";
import { isAgentPath } from "./admission.js";

/** The base64 of 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
export const WEBSOCKET_VERSION = "13";

/** undefined: a handshake, or none at all. */
export function handshakeProblem(head: RequestHead): HeadProblem | undefined {
  const path = head.target.split("?", 1)[0] ?? "";
  if (!isAgentPath(path)) return undefined;
  const of = (name: string) => head.headers.filter(([given]) => given === name).map(([, value]) => value);
  const upgrade = of("upgrade").join(",").toLowerCase();
  const keys = of("sec-websocket-key");
  // Java's client offers h2c with each request: that is no WebSocket, and is answered as HTTP.
  if (keys.length === 0 && !upgrade.includes("websocket")) return undefined;
  if (head.method !== "GET") return bad("a WebSocket is asked for by GET");
  if (upgrade !== "websocket") return bad("upgrade is not websocket");
  if (!tokensOf(of("connection")).includes("upgrade")) return bad("connection does not say upgrade");
  const [key = "", ...more] = keys;
  if (more.length > 0 || !KEY.test(key))
    return bad("sec-websocket-key is not one key of 16 bytes, as base64");
  if (of("sec-websocket-version").join(",") !== WEBSOCKET_VERSION)
    return { status: 426, reason: `sec-websocket-version must be ${WEBSOCKET_VERSION}` };
  if (announcesBody(head)) return bad("a handshake has no body");
  return undefined;
}

export function announcesBody({ headers }: RequestHead): boolean {
  return headers.some(
    ([name, value]) => name === "transfer-encoding" || (name === "content-length" && Number(value) > 0),
  );
}

function tokensOf(values: string[]): string[] {
  return values.flatMap((value) => value.split(",").map((token) => token.trim().toLowerCase()));
}

function bad(reason: string): HeadProblem {
  return { status: 400, reason: `bad request: ${reason}` };
}
