/**
 * Calls livekit-server's Twirp API, in protobuf. Owns when a call is tried, tried again and given up; must never wait
 * without a bound, and never keep anything of an answer.
 *
 * Again only after "unreachable" and "unavailable", where another try may meet a better moment. Not after a time-out:
 * who is slow is not helped by more calls, and livekit-server has by then asked its nodes three times itself.
 */

import type { Clock } from "@muster/runtime/clock";
import { signAccessToken } from "@muster/wire/access-token";
import { type LivekitCall, type LivekitMethod, pathOf } from "@muster/wire/livekit-calls";
import { decodeAnswer, encodeRequest } from "@muster/wire/twirp-body";
import type { VideoGrant } from "@muster/wire/video-grant";
import { apiUrlOf } from "./api-url.js";
import { CallLine } from "./call-line.js";
import { LivekitError } from "./livekit-error.js";
import { post } from "./post.js";
import type { CallOptions } from "./room-service.js";
import { TimeLimit } from "./time-limit.js";

export interface TwirpCallerDeps {
  /** As for the SDKs: ws, wss, http or https, with or without a path. */
  url: string;
  apiKey: string;
  apiSecret: string;
  clock: Clock;
  /** From 0 up to 1. */
  random: () => number;
  bounds?: Partial<CallBounds>;
}

export interface CallBounds {
  /** One try. */
  tryMs: number;
  /** A call with its waiting in line and all its tries. */
  overallMs: number;
  tries: number;
  /** Before the second try, in the mean; each further one waits twice as long. */
  backOffMs: number;
  callsAtOnce: number;
}

const DEFAULT_BOUNDS: CallBounds = {
  tryMs: 3_000,
  overallMs: 5_000,
  tries: 3,
  backOffMs: 100,
  callsAtOnce: 8,
};

/** Longer than any try; a token that leaks is worth little. livekit-server grants a minute more to clocks that differ. */
const TOKEN_TTL_MS = 60_000;

export interface Call<Request, Answer> {
  call: LivekitCall<Request, Answer>;
  grant: Partial<VideoGrant>;
  request: Partial<Request>;
  options: CallOptions | undefined;
}

/** A call that is under way. */
interface Attempt {
  method: LivekitMethod;
  path: string;
  grant: Partial<VideoGrant>;
  body: Uint8Array;
  /** Fires when the whole call is over. */
  signal: AbortSignal;
  endsAtMs: number;
}

export class TwirpCaller {
  readonly #deps: TwirpCallerDeps;
  readonly #bounds: CallBounds;
  readonly #url: string;
  readonly #line: CallLine;

  /** @throws DispatchError `invalid_argument` for a url that is none */
  constructor(deps: TwirpCallerDeps) {
    this.#deps = deps;
    this.#bounds = { ...DEFAULT_BOUNDS, ...deps.bounds };
    this.#url = apiUrlOf(deps.url);
    this.#line = new CallLine(this.#bounds.callsAtOnce);
  }

  /** @throws LivekitError */
  async ask<Request, Answer>({ call, grant, request, options }: Call<Request, Answer>): Promise<Answer> {
    const { clock } = this.#deps;
    const { method } = call;
    const { signal: above, overallMs = this.#bounds.overallMs } = options ?? {};
    const body = encodeRequest(call.request, "protobuf", request);
    const endsAtMs = clock.now() + overallMs;
    const limit = new TimeLimit({
      clock,
      ms: overallMs,
      timedOut: () => new LivekitError("timed_out", method, `no answer within ${overallMs} ms`),
      above,
      given: () => new LivekitError("canceled", method, "the caller gave it up"),
    });
    const { signal } = limit;
    try {
      const answer = await this.#withTries({ method, path: pathOf(call), grant, body, signal, endsAtMs });
      return readAnswer(call, answer);
    } finally {
      limit.end();
    }
  }

  async #withTries(attempt: Attempt): Promise<Uint8Array> {
    const { clock, random } = this.#deps;
    const { signal, endsAtMs } = attempt;
    for (let number = 1; ; number++) {
      try {
        return await this.#line.run(signal, () => this.#try(attempt));
      } catch (error) {
        if (!mayPass(error) || number >= this.#bounds.tries) throw error;
        // From half to one and a half: callers that failed together do not come back together.
        const waitMs = this.#bounds.backOffMs * 2 ** (number - 1) * (0.5 + random());
        if (clock.now() + waitMs >= endsAtMs) throw error;
        await waited(clock, waitMs, signal);
      }
    }
  }

  async #try({ method, path, grant, body, signal: above, endsAtMs }: Attempt): Promise<Uint8Array> {
    const { apiKey, apiSecret, clock } = this.#deps;
    const nowMs = clock.now();
    const ms = Math.max(1, Math.min(this.#bounds.tryMs, endsAtMs - nowMs));
    const timedOut = () => new LivekitError("timed_out", method, `no answer within ${ms} ms`);
    const limit = new TimeLimit({ clock, ms, timedOut, above });
    try {
      const token = signAccessToken({ apiKey, apiSecret, nowMs, ttlMs: TOKEN_TTL_MS, video: grant });
      return await post({
        url: `${this.#url}${path}`,
        method,
        token,
        body,
        timeoutMs: ms,
        signal: limit.signal,
      });
    } finally {
      limit.end();
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof LivekitError && (error.code === "unreachable" || error.code === "unavailable");
}

function readAnswer<Request, Answer>(call: LivekitCall<Request, Answer>, body: Uint8Array): Answer {
  try {
    return decodeAnswer(call.answer, "protobuf", body);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new LivekitError("malformed", call.method, problem, 200);
  }
}

/** Rejects with the signal's reason when that comes first. */
function waited(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const giveUp = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.setTimer(ms, () => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    });
    signal.addEventListener("abort", giveUp, { once: true });
  });
}
