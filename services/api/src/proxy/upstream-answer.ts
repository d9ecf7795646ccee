/**
 * What livekit-server answered, on its way to the caller. A short answer is read whole before anything is said, so that its
 * connection is free at once; a long one passes chunk by chunk, at the caller's pace, and is cut when that comes to a stand.
 */

import type { IncomingMessage } from "node:http";
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";

const SHORT_BYTES = 64 * 1024;
/** Neither livekit-server nor the caller has done anything for so long. */
const STALL_MS = 60_000;
const STATUSES_WITHOUT_BODY = new Set([204, 205, 304]);

/** @throws DispatchError `unavailable`, and what breaks a short answer off */
export async function answerOf(answer: IncomingMessage, headers: Headers, clock: Clock): Promise<Response> {
  const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
  // What fetch cannot express, LiveKit does not say.
  if (status < 200 || status > 599) {
    answer.destroy();
    throw unreachable(undefined);
  }
  const head = { status, statusText, headers };
  if (STATUSES_WITHOUT_BODY.has(status)) {
    answer.resume();
    return new Response(null, head);
  }
  const announced = headers.get("content-length");
  if (announced === null || Number(announced) > SHORT_BYTES) return new Response(paced(answer, clock), head);
  return new Response(await whole(answer), head);
}

async function whole(answer: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

function paced(answer: IncomingMessage, clock: Clock): ReadableStream<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]();
  let cancelTimer = () => {};
  const moved = () => {
    cancelTimer();
    cancelTimer = clock.setTimer(STALL_MS, () => answer.destroy(new Error("the answer came to a stand")));
  };
  answer.on("close", () => cancelTimer());
  moved();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      moved();
      const { done, value } = await chunks.next();
      if (done === true) {
        cancelTimer();
        controller.close();
      } else {
        controller.enqueue(value as Uint8Array);
        moved();
      }
    },
    cancel: () => void answer.destroy(),
  });
}

/** Only the code of the failure: its text has addresses in it. */
export function unreachable(error: unknown): DispatchError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "no usable answer";
  return new DispatchError("unavailable", `livekit-server at MUSTER_LIVEKIT_URL cannot be reached (${code})`);
}
