/**
 * Everything under /twirp/. Owns routes, methods, content types and the order of the checks: route, token, content type,
 * grant, body, and only then what is asked for: nobody without the grant has a body read. Refusals are worded and coded as
 * Twirp's Go server does, where it has them.
 */

import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Encoding } from "@muster/wire/dispatch-codec";
import { type ApiKeys, authenticate, callerName, requireSomeDispatchGrant } from "../auth.js";
import type { Bodies } from "../bodies.js";
import { asDispatchError } from "../failure.js";
import type { ApiMetrics } from "../metrics.js";
import { NO_MEDIA } from "../no-media.js";
import type { DispatchCalls } from "./dispatch-calls.js";
import { badRoute, CONTENT_TYPES, errorAnswer, messageAnswer, unimplemented } from "./twirp-answer.js";

export interface TwirpServiceDeps {
  calls: DispatchCalls;
  keys: ApiKeys;
  bodies: Pick<Bodies, "during">;
  metrics: Pick<ApiMetrics, "refused">;
  clock: Clock;
  log: Log;
}

const SERVICE = "livekit.AgentDispatchService";
const REQUEST_ID_HEADER = "x-livekit-request-id";

export type TwirpService = (request: Request, path: string) => Promise<Response>;

export function createTwirpService(deps: TwirpServiceDeps): TwirpService {
  const { calls, keys, bodies, metrics, clock, log } = deps;
  return async (request, path) => {
    const [, service = "", name = ""] = /^\/twirp\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    if (/^livekit\.\w+$/.test(service) && service !== SERVICE) {
      return unimplemented(`${service} is not served here: ${NO_MEDIA}`);
    }
    if (request.method !== "POST") {
      return badRoute(`unsupported method "${request.method}" (only POST is allowed)`, request.method, path);
    }
    const call = service === SERVICE ? calls.get(name) : undefined;
    if (call === undefined) return badRoute(`no handler for path "${path}"`, request.method, path);
    try {
      const caller = authenticate(request, keys, clock.now());
      const contentType = request.headers.get("content-type") ?? "";
      const encoding = encodingOf(contentType);
      if (encoding === undefined) {
        return badRoute(`unexpected Content-Type: "${contentType}"`, request.method, path);
      }
      requireSomeDispatchGrant(caller);
      const requestId = request.headers.get(REQUEST_ID_HEADER) || undefined;
      const sender = { caller: callerName(caller.claims), maxBytes: MAX_BODY_BYTES };
      return await bodies.during(request, sender, async (body) =>
        messageAnswer(encoding, await call({ caller, encoding, body, requestId })),
      );
    } catch (error) {
      const refusal = asDispatchError(error, log);
      metrics.refused(refusal.code);
      return errorAnswer(refusal);
    }
  };
}

function encodingOf(contentType: string): Encoding | undefined {
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (type === CONTENT_TYPES.json) return "json";
  return type === CONTENT_TYPES.protobuf ? "protobuf" : undefined;
}
