/**
 * Owns the way of one frame from a socket to its handler: decoding, the phase in which a message is in place, and how a
 * refusal ends the socket. What a message does is in messages/. Nothing of what a worker sends is logged.
 *
 * Before registration: register, ping, and update_worker, which stock Node workers send early and which is ignored.
 * Anything else there closes the socket with 4422. What comes while the registration is being written waits behind it.
 */

import { assertNever } from "@muster/domain/assert";
import { DispatchError } from "@muster/domain/errors";
import { decodeWorkerMessage, decodeWorkerMessageJson, type WorkerMessage } from "@muster/wire/agent-codec";
import type { MessageDeps } from "./message-deps.js";
import { handleAvailability } from "./messages/availability.js";
import { handleMigrateJob } from "./messages/migrate-job.js";
import { handlePing } from "./messages/ping.js";
import { handleRegister } from "./messages/register.js";
import { handleSimulateJob } from "./messages/simulate-job.js";
import { handleUpdateJob } from "./messages/update-job.js";
import { handleUpdateWorker } from "./messages/update-worker.js";
import { refuse } from "./refuse.js";
import type { Registration, Session } from "./session.js";

type JobMessage = Exclude<WorkerMessage, { case: "register" | "ping" | "updateWorker" | "unknown" }>;

/** Never throws for what a worker sent; what it throws is a bug. */
export function dispatchFrame(session: Session, frame: Uint8Array | string, deps: MessageDeps): void {
  guarded(session, deps, () => {
    const isText = typeof frame === "string";
    const message = isText ? decodeWorkerMessageJson(frame) : decodeWorkerMessage(frame);
    session.speaks(isText ? "json" : "protobuf");
    deps.metrics.messageReceived(message.case);
    route(session, message, frame.length, deps);
  });
}

function route(session: Session, message: WorkerMessage, frameBytes: number, deps: MessageDeps): void {
  switch (message.case) {
    case "unknown":
      break;
    case "ping":
      handlePing(session, message.value, deps);
      break;
    case "register":
      handleRegister(session, message.value, deps);
      break;
    case "updateWorker":
      handleUpdateWorker(session, message.value, deps);
      break;
    default:
      routeJobMessage(session, message, frameBytes, deps);
  }
}

/** A decoded frame takes up to so many times its bytes: a list of short texts is an object and a pointer for each. */
const DECODED_TIMES = 8;

function routeJobMessage(session: Session, message: JobMessage, frameBytes: number, deps: MessageDeps): void {
  const { registration } = session;
  if (registration === undefined) {
    throw new DispatchError("failed_precondition", "not registered; send register first");
  }
  if (session.phase !== "registering") {
    handle(session, registration, message, deps);
    return;
  }
  session.inOrder(async () => {
    guarded(session, deps, () => {
      if (session.isServed) handle(session, registration, message, deps);
    });
  }, DECODED_TIMES * frameBytes);
}

function handle(session: Session, registration: Registration, message: JobMessage, deps: MessageDeps): void {
  switch (message.case) {
    case "availability":
      handleAvailability(session, message.value, deps);
      break;
    case "updateJob":
      handleUpdateJob(session, registration, message.value, deps);
      break;
    case "simulateJob":
      handleSimulateJob(session, registration, message.value, deps);
      break;
    case "migrateJob":
      handleMigrateJob(session, registration, message.value, deps);
      break;
    default:
      assertNever(message, "worker message");
  }
}

function guarded(session: Session, deps: MessageDeps, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DispatchError)) throw error;
    refuse(session, error, deps);
  }
}
