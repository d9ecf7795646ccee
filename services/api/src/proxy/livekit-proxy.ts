/**
 * Passes calls of LiveKit's own API on to livekit-server: agents and tools have one LIVEKIT_URL for everything, and it is
 * ours. Owns the way there and back and the errors of that way, in Twirp's form. Must never look into a call; whether its token
 * may do what it asks for is livekit-server's to say.
 *
 * First the token, then the body, whole, then the caller's turn, and only then a connection to livekit-server: who sends
 * slowly, or much, or nothing, keeps nobody else from it. A short answer is read whole too, a long one at the caller's pace.
 */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { DispatchError } from "@muster/domain/errors";
import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { ApiKeys, CallerName } from "../auth.js";
import type { Bodies } from "../bodies.js";
import type { ApiMetrics } from "../metrics.js";
import type { RefusedCallers } from "../refused-callers.js";
import { errorAnswer } from "../twirp/twirp-answer.js";
import { CallerLines } from "./caller-lines.js";
import { foreignCaller } from "./foreign-caller.js";
import { hasBeenHere, headersFromUpstream, headersToUpstream } from "./forwarded-headers.js";
import { answerOf, unreachable } from "./upstream-answer.js";

export interface LivekitProxyDeps {
  /** http(s) or ws(s); its path is put before that of each call. */
  url: string;
  /** LiveKit's, and ours. */
  keySets: readonly ApiKeys[];
  bodies: Pick<Bodies, "during">;
  /** Calls passed on at a time. */
  most: number;
  metrics: Pick<ApiMetrics, "refused">;
  /** Who does not get its turn is told to it. */
  refusedCallers?: Pick<RefusedCallers, "refused">;
  clock: Clock;
  log: Log;
}

/** Never rejects. `remoteAddress` is the caller's, for x-forwarded-for. */
export type LivekitProxy = (request: Request, remoteAddress: string | undefined) => Promise<Response>;

const FIRST_BYTE_MS = 30_000;
/** Waits until a phone is picked up: livekit-server itself allows 80 s (pkg/service/sip.go). */
const SIP_FIRST_BYTE_MS = 120_000;
const SIP_CALLS = "/twirp/livekit.SIP/";
/** Shorter than servers and load balancers keep one, so that none is used that is just being closed. */
const IDLE_SOCKET_MS = 4_000;

export function createLivekitProxy(deps: LivekitProxyDeps): LivekitProxy {
  const { url, keySets, bodies, most, metrics, refusedCallers, clock, log } = deps;
  const base = url.replace(/^ws/, "http");
  const isTls = base.startsWith("https:");
  // How many there are is the lines' to say.
  const connections = { keepAlive: true, timeout: IDLE_SOCKET_MS };
  const agent = isTls ? new HttpsAgent(connections) : new HttpAgent(connections);
  const send = isTls ? httpsRequest : httpRequest;
  // A call that rings for a minute must not stand where one of a millisecond could.
  const lines = { sip: new CallerLines({ most, clock }), others: new CallerLines({ most, clock }) };

  return async (request, remoteAddress) => {
    try {
      if (hasBeenHere(request.headers)) {
        throw new DispatchError(
          "failed_precondition",
          "MUSTER_LIVEKIT_URL leads back to Muster; it must be the url of livekit-server itself",
        );
      }
      const caller = foreignCaller(request, keySets, clock.now());
      const { pathname } = new URL(request.url);
      const line = pathname.startsWith(SIP_CALLS) ? lines.sip : lines.others;
      if (hasNoBody(request)) {
        const end = await turnOf(line, caller, request);
        return await passOn(request, remoteAddress, undefined, end);
      }
      return await bodies.during(request, { caller, maxBytes: MAX_BODY_BYTES }, async (body) => {
        const end = await turnOf(line, caller, request);
        return await passOn(request, remoteAddress, body, end);
      });
    } catch (error) {
      const refusal = error instanceof DispatchError ? error : unreachable(error);
      // Nobody is left to hear of it when the caller has gone, and it says nothing of livekit-server.
      if (!request.signal.aborted) {
        const { code, message: reason } = refusal;
        // What callers do wrong is told to them.
        const isOurs = code === "unavailable" || code === "failed_precondition";
        if (isOurs) log.warn({ code, reason }, "a call was not passed on to livekit-server");
        metrics.refused(code);
      }
      return errorAnswer(refusal);
    }
  };

  async function turnOf(line: CallerLines, caller: CallerName, request: Request): Promise<() => void> {
    try {
      return await line.enter(caller, request.signal);
    } catch (error) {
      // Who has gone was not refused.
      if (error instanceof DispatchError && !request.signal.aborted) {
        const bound = error.code === "resource_exhausted" ? "livekit_calls_of_caller" : "livekit_calls";
        refusedCallers?.refused({ caller, request, bound });
      }
      throw error;
    }
  }

  /** `end` is called when nothing is held at livekit-server any more. */
  async function passOn(
    request: Request,
    remoteAddress: string | undefined,
    body: Uint8Array | undefined,
    end: () => void,
  ): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const headers = headersToUpstream(request.headers, remoteAddress);
    // As much as there is, however it was announced; node announces by itself that there is none.
    delete headers["content-length"];
    if (body !== undefined) headers["content-length"] = String(body.byteLength);
    const limitMs = pathname.startsWith(SIP_CALLS) ? SIP_FIRST_BYTE_MS : FIRST_BYTE_MS;
    let cancelTimer = () => {};
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const call = send(`${base}${pathname}${search}`, { method: request.method, headers, agent });
        cancelTimer = clock.setTimer(limitMs, () => call.destroy(silent(limitMs)));
        const abandon = () => call.destroy();
        request.signal.addEventListener("abort", abandon);
        call.on("response", resolve);
        // After the answer began this changes nothing; its stream fails by itself.
        call.on("error", reject);
        call.on("close", () => {
          request.signal.removeEventListener("abort", abandon);
          end();
        });
        if (request.signal.aborted) abandon();
        else call.end(body);
      });
      return await answerOf(answer, headersFromUpstream(answer.rawHeaders), clock);
    } finally {
      cancelTimer();
    }
  }
}

function hasNoBody(request: Request): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(request.method) || request.body === null;
}

function silent(limitMs: number): DispatchError {
  return new DispatchError(
    "unavailable",
    `livekit-server at MUSTER_LIVEKIT_URL did not begin to answer within ${limitMs / 1_000} s`,
  );
}
