/**
 * One try of one call: bytes there, bytes back, or a LivekitError that says why not. Owns the HTTP side: headers, the
 * bound on an answer's size, and what a refusal means. Whether to try again is not decided here.
 */

import { MAX_BODY_BYTES } from "@muster/domain/limits";
import { LivekitError, type LivekitErrorCode } from "./livekit-error.js";

const PROTOBUF = "application/protobuf";
/** Enough for any error of livekit-server, and nothing that floods a log. */
const MAX_ERROR_BYTES = 16 * 1024;
const MAX_MESSAGE_LENGTH = 300;

export interface Post {
  readonly url: string;
  readonly method: string;
  readonly token: string;
  readonly body: Uint8Array;
  /** How long the server need not try longer than; livekit-server keeps to it. */
  readonly timeoutMs: number;
  /** Its reason is thrown when it fires. */
  readonly signal: AbortSignal;
}

/** @throws LivekitError */
export async function post({ url, method, token, body, timeoutMs, signal }: Post): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": PROTOBUF,
        "x-twirp-timeout-ms": String(Math.ceil(timeoutMs)),
      },
      body,
      signal,
      // The token is not for whoever a redirect names.
      redirect: "manual",
    });
  } catch (error) {
    throw brokenOff(error, method, signal);
  }
  const answer = await readBounded(response, method, signal);
  if (!response.ok) throw refusal(response, answer, { method, token });
  const contentType = response.headers.get("content-type") ?? "";
  if (contentType.startsWith(PROTOBUF)) return answer;
  throw new LivekitError(
    "malformed",
    method,
    `answered in "${contentType}"; ${NOT_LIVEKIT}`,
    response.status,
  );
}

async function readBounded(response: Response, method: string, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      // Leaving the loop drops the rest of the body, and its connection.
      if (bytes > MAX_BODY_BYTES) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw brokenOff(error, method, signal);
  }
  if (bytes <= MAX_BODY_BYTES) return Buffer.concat(chunks);
  const problem = `answered with more than ${MAX_BODY_BYTES} bytes`;
  throw new LivekitError("too_large", method, problem, response.status);
}

function brokenOff(error: unknown, method: string, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason;
  // fetch says "fetch failed"; what happened stands in the cause: ECONNREFUSED, a certificate, "other side closed".
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code } = (cause ?? {}) as { code?: unknown };
  const why = cause instanceof Error && cause.message !== "" ? cause.message : String(code ?? cause);
  return new LivekitError("unreachable", method, `no answer (${why})`);
}

const NOT_LIVEKIT = "is this the url of a livekit-server?";

/** By Twirp's code where there is one; statuses alone come from proxies, and from livekit-server's check of the token. */
const CODES: Readonly<Record<string, LivekitErrorCode>> = {
  not_found: "not_found",
  unauthenticated: "unauthenticated",
  permission_denied: "permission_denied",
  invalid_argument: "invalid_argument",
  malformed: "invalid_argument",
  out_of_range: "invalid_argument",
  deadline_exceeded: "timed_out",
  canceled: "timed_out",
  unavailable: "unavailable",
  resource_exhausted: "unavailable",
  aborted: "unavailable",
  unimplemented: "refused",
  bad_route: "malformed",
};

const STATUSES: Readonly<Record<number, LivekitErrorCode>> = {
  401: "unauthenticated",
  403: "permission_denied",
  404: "malformed",
  405: "malformed",
  408: "timed_out",
  429: "unavailable",
};

function refusal(
  { status }: Response,
  body: Uint8Array,
  { method, token }: Pick<Post, "method" | "token">,
): LivekitError {
  // livekit-server says back a token that it cannot take: that is neither for the log nor for a caller of ours, since with a
  // clock that is wrong it is good soon, or still good elsewhere.
  const text = Buffer.from(body).toString("utf8", 0, MAX_ERROR_BYTES).replaceAll(token, "(the token)");
  const twirp = twirpErrorOf(text);
  const code = (twirp && CODES[twirp.code]) ?? STATUSES[status] ?? codeOfFamily(status);
  const said = `${twirp?.msg ?? text}`.slice(0, MAX_MESSAGE_LENGTH);
  const hint = code === "malformed" ? `; ${NOT_LIVEKIT}` : "";
  const problem = `${status}${twirp === undefined ? "" : ` ${twirp.code}`} "${said}"${hint}`;
  return new LivekitError(code, method, problem, status);
}

function codeOfFamily(status: number): LivekitErrorCode {
  if (status >= 500) return "unavailable";
  return status < 400 ? "malformed" : "refused";
}

function twirpErrorOf(text: string): { code: string; msg: string } | undefined {
  try {
    const { code, msg = "" } = JSON.parse(text) as { code?: unknown; msg?: unknown };
    return typeof code === "string" && typeof msg === "string" ? { code, msg } : undefined;
  } catch {
    return undefined;
  }
}
