/**
 * Errors of the REST API: problem JSON with a closed code, a message that says what to do, and the field at fault.
 */

import { z } from "@hono/zod-openapi";
import { DISPATCH_ERROR_CODES, type DispatchError } from "@muster/domain/errors";
import { TWIRP_ERRORS } from "@muster/wire/twirp-errors";
import { isForLater, RETRY_AFTER_S } from "../failure.js";

export const Problem = z
  .object({
    status: z.int().openapi({ description: "The HTTP status, again." }),
    code: z.enum(DISPATCH_ERROR_CODES),
    message: z.string().openapi({ description: "What is wrong, for people." }),
    field: z.string().optional().openapi({ description: "The parameter or field at fault, when it is one." }),
  })
  .openapi("Problem");

export function problemAnswer(error: DispatchError): Response {
  const status = TWIRP_ERRORS[error.code].httpStatus;
  const { code, message, field } = error;
  const body: z.infer<typeof Problem> = { status, code, message, ...(field === undefined ? {} : { field }) };
  const headers = {
    "content-type": "application/problem+json",
    ...(isForLater(error) && { "retry-after": RETRY_AFTER_S }),
  };
  return new Response(JSON.stringify(body), { status, headers });
}

const content = { "application/problem+json": { schema: Problem } };

/** The refusals that a route can answer, for its description. */
export function problems(...codes: DispatchError["code"][]) {
  const described: Record<number, { description: string; content: typeof content }> = {};
  for (const code of ["unauthenticated", "permission_denied", "unavailable", "internal", ...codes] as const) {
    described[TWIRP_ERRORS[code].httpStatus] = { description: code, content };
  }
  return described;
}
