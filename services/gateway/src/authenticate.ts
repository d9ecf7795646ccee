/**
 * Owns who may have an agent WebSocket, before there is one: no browser, and a token signed with a known key, with the agent
 * grant, that is none to join a room with. A refused token is 401 with its reason, as livekit-server answers. The token itself is neither kept nor logged.
 */

import type { BlockList } from "node:net";
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import { type AccessClaims, claimedApiKey, verifyAccessToken } from "@muster/wire/access-token";
import { ATTRIBUTE_PREFIX } from "@muster/wire/agent-token";
import { clientAddress } from "./client-address.js";
import type { GatewayMetrics, UpgradeRefusal } from "./gateway-metrics.js";
import { projectOfKey } from "./projects.js";
import type { RefusedWorkers } from "./refused-workers.js";
import type { WorkerContext } from "./session.js";
import type { UpgradeDecision, UpgradeRequest } from "./transport/transport.js";

export interface AuthenticateDeps {
  /** API key to its secret. */
  keys: ReadonlyMap<string, string>;
  /** Whose X-Forwarded-For is believed. */
  trustedProxies: BlockList;
  /** Of browsers; "*" is any. */
  allowedOrigins: readonly string[];
  clock: Clock;
  metrics: GatewayMetrics;
  refusedWorkers: Pick<RefusedWorkers, "refused">;
}

export function authenticate(
  request: UpgradeRequest,
  deps: AuthenticateDeps,
): UpgradeDecision<WorkerContext> {
  const token = tokenOf(request);
  const refuse = (refusal: UpgradeRefusal, reason: string, status = 401): UpgradeDecision<WorkerContext> => {
    deps.metrics.upgradeRefused(refusal);
    const clientIp = clientAddress(request, deps.trustedProxies);
    deps.refusedWorkers.refused({
      ...{ reason: refusal, problem: reason, keyId: claimedApiKey(token), clientIp },
    });
    return { accept: false, status, reason };
  };
  if (!isAllowed(request.origin, deps.allowedOrigins)) return refuse("browser", NO_BROWSER, 403);
  if (token === "")
    return refuse("no_token", "token: send one as Authorization: Bearer, or as ?access_token=");
  try {
    const claims = verifyAccessToken(token, deps.keys, deps.clock.now());
    if (!claims.video.agent) return refuse("no_agent_grant", "token: lacks the grant video.agent");
    if (isForRoom(claims)) return refuse("room_token", ROOM_TOKEN);
    return {
      accept: true,
      context: {
        apiKey: claims.apiKey,
        project: projectOfKey(claims.apiKey),
        protocol: protocolOf(request.query),
        tokenEndsAtMs: claims.expiresAtMs,
        clientIp: clientAddress(request, deps.trustedProxies),
        reports: isPythonSdk(request),
      },
    };
  } catch (error) {
    if (!(error instanceof DispatchError)) throw error;
    return refuse("bad_token", error.message);
  }
}

const NO_BROWSER =
  "origin: not one of MUSTER_ALLOWED_ORIGINS (allowedOrigins); workers are no browsers and send none";

const ROOM_TOKEN =
  "token: is one to join a room with (roomJoin, kind agent, or muster.*); a worker's has video.agent alone";

/**
 * Every job's token has `video.agent`, and an application's code has the token: it must not register workers. What stock
 * SDKs open this socket with has no grant but that one, in all their commands.
 */
function isForRoom({ video, kind, attributes }: AccessClaims): boolean {
  const isOurs = Object.keys(attributes).some((name) => name.startsWith(ATTRIBUTE_PREFIX));
  return video.roomJoin || kind === "agent" || isOurs;
}

/** Only browsers send it, and always: a page must not open a worker's socket with a token that it came by. */
function isAllowed(origin: string | undefined, allowed: readonly string[]): boolean {
  return origin === undefined || allowed.includes("*") || allowed.includes(origin.toLowerCase());
}

/** Version of the agent protocol, as livekit-server counts it. */
const CURRENT_PROTOCOL = 1;

/** The header wins, as in livekit-server. */
function tokenOf({ authorization, query }: UpgradeRequest): string {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(authorization ?? "");
  return bearer?.[1] ?? (authorization === undefined ? (query.get("access_token") ?? "") : "");
}

/** Its HTTP library names itself; the Node SDK, which reports nothing, sends no such header. */
function isPythonSdk({ userAgent }: UpgradeRequest): boolean {
  return /\baiohttp\//.test(userAgent ?? "");
}

/** Who says nothing speaks the current one; the Python SDK does not say. */
function protocolOf(query: URLSearchParams): number {
  const text = query.get("protocol") ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) : CURRENT_PROTOCOL;
}
