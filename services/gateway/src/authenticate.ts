/**
 * Owns who may have an agent WebSocket, before there is one: a token signed with a known key, with the agent grant.
 * Every refusal is 401 with its reason, as livekit-server answers. The token itself is neither kept nor logged.
 */

import type { BlockList } from "node:net";
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import { claimedApiKey, verifyAccessToken } from "@muster/wire/access-token";
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
  clock: Clock;
  metrics: GatewayMetrics;
  refusedWorkers: Pick<RefusedWorkers, "refused">;
}

export function authenticate(
  request: UpgradeRequest,
  deps: AuthenticateDeps,
): UpgradeDecision<WorkerContext> {
  const token = tokenOf(request);
  const refuse = (refusal: UpgradeRefusal, reason: string): UpgradeDecision<WorkerContext> => {
    deps.metrics.upgradeRefused(refusal);
    const clientIp = clientAddress(request, deps.trustedProxies);
    deps.refusedWorkers.refused({
      ...{ reason: refusal, problem: reason, keyId: claimedApiKey(token), clientIp },
    });
    return { accept: false, status: 401, reason };
  };
  if (token === "")
    return refuse("no_token", "token: send one as Authorization: Bearer, or as ?access_token=");
  try {
    const claims = verifyAccessToken(token, deps.keys, deps.clock.now());
    if (!claims.video.agent) return refuse("no_agent_grant", "token: lacks the grant video.agent");
    return {
      accept: true,
      context: {
        apiKey: claims.apiKey,
        project: projectOfKey(claims.apiKey),
        protocol: protocolOf(request.query),
        clientIp: clientAddress(request, deps.trustedProxies),
        reports: isPythonSdk(request),
      },
    };
  } catch (error) {
    if (!(error instanceof DispatchError)) throw error;
    return refuse("bad_token", error.message);
  }
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
