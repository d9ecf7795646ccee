/**
 * One POST to a receiver. Owns what counts as taken: an answer of 2xx within the time. Follows no redirect, which would
 * carry a signed event to where nobody sent it, and reads no more of an answer than a connection needs to be used again.
 */

import { WEBHOOK_CONTENT_TYPE } from "@muster/wire/job-webhook";

/** From the first byte sent to the last byte read. */
export const POST_TIMEOUT_MS = 5_000;
const MOST_ANSWER_BYTES = 16 * 1024;

export interface WebhookPost {
  url: string;
  body: string;
  token: string;
  timeoutMs: number;
}

/** Throws an Error that says, in words for people, why it was not taken. */
export async function postWebhook({ url, body, token, timeoutMs }: WebhookPost): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": WEBHOOK_CONTENT_TYPE, authorization: token, "user-agent": "muster" },
      body,
      redirect: "manual",
      signal,
    });
    await discard(answer);
  } catch (error) {
    throw new Error(signal.aborted ? `no answer within ${timeoutMs} ms` : `not reached: ${causeOf(error)}`);
  }
  if (answer.ok) return;
  const redirected = answer.status >= 300 && answer.status < 400;
  throw new Error(`answered ${answer.status}${redirected ? "; redirects are not followed" : ""}`);
}

/** What is left unread costs the connection, so a short answer is read. */
async function discard(answer: Response): Promise<void> {
  if (answer.body === null) return;
  const reader = answer.body.getReader();
  for (let bytes = 0; bytes <= MOST_ANSWER_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.byteLength;
  }
  await reader.cancel();
}

/** fetch says "fetch failed", and why in its cause: a code of the system, which names no address. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause === "object" && cause !== null && "code" in cause) return String(cause.code);
  return error instanceof Error ? error.message : "unknown error";
}
