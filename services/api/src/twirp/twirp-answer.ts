/**
 * Answers in the form of Twirp. Owns the error body {code, msg, meta} and its content type, which must be exactly
 * `application/json`: with a charset, LiveKit's Node SDK no longer reads the error.
 */

import type { DispatchError } from "@muster/domain/errors";
import type { Encoding } from "@muster/wire/dispatch-codec";
import { TWIRP_ERRORS } from "@muster/wire/twirp-errors";
import { isForLater, RETRY_AFTER_S } from "../failure.js";

export const CONTENT_TYPES: Readonly<Record<Encoding, string>> = {
  json: "application/json",
  protobuf: "application/protobuf",
};

export function messageAnswer(encoding: Encoding, body: Uint8Array): Response {
  return new Response(Buffer.from(body), { headers: { "content-type": CONTENT_TYPES[encoding] } });
}

export function errorAnswer(error: DispatchError): Response {
  const { twirpCode, httpStatus } = TWIRP_ERRORS[error.code];
  const meta = error.field === undefined ? undefined : { argument: error.field };
  const answer = twirpError(httpStatus, twirpCode, error.message, meta);
  if (isForLater(error)) answer.headers.set("retry-after", RETRY_AFTER_S);
  return answer;
}

/** A path, method or content type that no call of the service has: 404, as Twirp has it. */
export function badRoute(problem: string, method: string, path: string): Response {
  return twirpError(404, "bad_route", problem, { twirp_invalid_route: `${method} ${path}` });
}

/** A call that LiveKit has and Muster does not. */
export function unimplemented(problem: string): Response {
  return twirpError(501, "unimplemented", problem, undefined);
}

function twirpError(
  status: number,
  code: string,
  msg: string,
  meta: Record<string, string> | undefined,
): Response {
  const body = JSON.stringify({ code, msg, ...(meta === undefined ? {} : { meta }) });
  return new Response(Buffer.from(body), { status, headers: { "content-type": "application/json" } });
}
