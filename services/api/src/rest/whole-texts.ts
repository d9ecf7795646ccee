/**
 * Refuses a body with a text that is no valid Unicode: bytes that are no UTF-8, which would be read as another text (U+FFFD);
 * and half of a surrogate pair, which JSON can escape and which has no bytes, so that it would be kept as another text, or be
 * no name at all. Looked for in one place, whatever route it is for; what is not JSON is
 * the validator's to refuse.
 */

import { DispatchError } from "@muster/domain/errors";
import { decodeUtf8 } from "@muster/wire/refuse";
import { isWellFormed } from "@muster/wire/well-formed";
import { createMiddleware } from "hono/factory";
import type { RestEnv } from "./context.js";

const NOTHING = new ArrayBuffer(0);
/** Bytes of UTF-8 cannot hold half a pair: only an escape can. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;

export const wholeTexts = createMiddleware<RestEnv>(async (c, next) => {
  const { method } = c.req;
  const bytes = method === "GET" || method === "HEAD" ? NOTHING : await c.req.arrayBuffer();
  const text = decodeUtf8(new Uint8Array(bytes), "body");
  if (ESCAPED_SURROGATE.test(text)) refuseHalves(parsed(text));
  await next();
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws DispatchError `invalid_argument`, with the field as its path: `preferences.labels.0.labels` */
function refuseHalves(body: unknown): void {
  const open: [path: string, value: unknown][] = [["", body]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, value] = next;
    if (typeof value === "string" && !isWellFormed(value)) throw refusal(path, "is not valid Unicode");
    if (typeof value !== "object" || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (!isWellFormed(key)) throw refusal(path, "has a key that is not valid Unicode");
      open.push([path === "" ? key : `${path}.${key}`, inner]);
    }
  }
}

function refusal(path: string, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, path === "" ? "body" : path);
}
