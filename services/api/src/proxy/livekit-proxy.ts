/**
 * Passes calls of LiveKit's own API on to livekit-server: agents and tools have one LIVEKIT_URL for everything, and it is
 * ours. Owns the way there and back and the errors of that way, in Twirp's form. Must never look into a call or hold
 * more of it than one chunk; whether its token is good is livekit-server's to say.
 */

import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { DispatchError } from "@muster/domain/errors";
import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { ApiMetrics } from "../metrics.js";
import { errorAnswer } from "../twirp/twirp-answer.js";
import { hasBeenHere, headersFromUpstream, headersToUpstream } from "./forwarded-headers.js";

export interface LivekitProxyDeps {
  /** http(s) or ws(s); its path is put before that of each call. */
  url: string;
  metrics: Pick<ApiMetrics, "refused">;
  clock: Clock;
  log: Log;
}

/** Never rejects. `remoteAddress` is the caller's, for x-forwarded-for. */
export type LivekitProxy = (request: Request, remoteAddress: string | undefined) => Promise<Response>;

const FIRST_BYTE_MS = 30_000;
/** Waits until a phone is picked up: livekit-server itself allows 80 s (pkg/service/sip.go). */
const SIP_FIRST_BYTE_MS = 120_000;
const SIP_CALLS = "/twirp/livekit.SIP/";
const MAX_SOCKETS = 256;
/** Shorter than servers and load balancers keep one, so that none is used that is just being closed. */
const IDLE_SOCKET_MS = 4_000;
const STATUSES_WITHOUT_BODY = new Set([204, 205, 304]);

export function createLivekitProxy({ url, metrics, clock, log }: LivekitProxyDeps): LivekitProxy {
  const base = url.replace(/^ws/, "http");
  const isTls = base.startsWith("https:");
  const connections = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_SOCKET_MS };
  const agent = isTls ? new HttpsAgent(connections) : new HttpAgent(connections);
  const send = isTls ? httpsRequest : httpRequest;

  return async (request, remoteAddress) => {
    try {
      if (hasBeenHere(request.headers)) {
        throw new DispatchError(
          "failed_precondition",
          "MUSTER_LIVEKIT_URL leads back to Muster; it must be the url of livekit-server itself",
        );
      }
      return answerOf(await upstreamAnswer(request, remoteAddress));
    } catch (error) {
      const refusal = error instanceof DispatchError ? error : unreachable(error);
      // Nobody is left to hear of it when the caller has gone, and it says nothing of livekit-server.
      if (!request.signal.aborted) {
        log.warn(
          { code: refusal.code, reason: refusal.message },
          "a call was not passed on to livekit-server",
        );
        metrics.refused(refusal.code);
      }
      return errorAnswer(refusal);
    }
  };

  function upstreamAnswer(request: Request, remoteAddress: string | undefined): Promise<IncomingMessage> {
    if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
    const { pathname, search } = new URL(request.url);
    const headers = headersToUpstream(request.headers, remoteAddress);
    // What is announced must come; node announces by itself that nothing does.
    if (request.body === null) delete headers["content-length"];
    const limitMs = pathname.startsWith(SIP_CALLS) ? SIP_FIRST_BYTE_MS : FIRST_BYTE_MS;
    return new Promise((resolve, reject) => {
      const call = send(`${base}${pathname}${search}`, { method: request.method, headers, agent });
      const cancelTimer = clock.setTimer(limitMs, () => call.destroy(silent(limitMs)));
      const abandon = () => call.destroy();
      request.signal.addEventListener("abort", abandon);
      call.on("response", (answer) => {
        cancelTimer();
        resolve(answer);
      });
      // After the answer began this changes nothing; its stream fails by itself.
      call.on("error", reject);
      call.on("close", () => {
        cancelTimer();
        request.signal.removeEventListener("abort", abandon);
      });
      if (request.signal.aborted) abandon();
      else if (request.body === null) call.end();
      // A failure of either end is a failure of the call, and told there.
      else void pipeline(chunksOf(request.body as NodeReadableStream, call), call).catch(() => undefined);
    });
  }
}

/** Bounded as all bodies are: an upstream that reads slowly must not make us the place where uploads pile up. */
async function* chunksOf(
  body: NodeReadableStream<Uint8Array>,
  call: ClientRequest,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    // Not thrown: a pipeline ends a request without saying why.
    if (bytes > MAX_BODY_BYTES) return void call.destroy(tooLarge());
    yield chunk;
  }
}

function answerOf(answer: IncomingMessage): Response {
  const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
  // What fetch cannot express, LiveKit does not say.
  if (status < 200 || status > 599) {
    answer.destroy();
    throw unreachable(undefined);
  }
  const head = { status, statusText, headers: headersFromUpstream(answer.rawHeaders) };
  if (!STATUSES_WITHOUT_BODY.has(status)) return new Response(Readable.toWeb(answer) as ReadableStream, head);
  answer.resume();
  return new Response(null, head);
}

function tooLarge(): DispatchError {
  return new DispatchError("too_large", `at most ${MAX_BODY_BYTES} bytes are taken`, "body");
}

function silent(limitMs: number): DispatchError {
  return new DispatchError(
    "unavailable",
    `livekit-server at MUSTER_LIVEKIT_URL did not begin to answer within ${limitMs / 1_000} s`,
  );
}

/** Only the code of the failure: its text has addresses in it. */
function unreachable(error: unknown): DispatchError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "no usable answer";
  return new DispatchError("unavailable", `livekit-server at MUSTER_LIVEKIT_URL cannot be reached (${code})`);
}
