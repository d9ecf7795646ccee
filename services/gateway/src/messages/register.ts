/**
 * RegisterWorkerRequest: the worker says what it is, once. The answer is sent only when the ledger has the session, so
 * that a worker that was answered can be offered work. While Redis is away the worker waits, until its time is over.
 */

import { DispatchError } from "@muster/domain/errors";
import type { RegisterWorkerRequest } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import { refuse } from "../refuse.js";
import { readRegistration } from "../registration.js";
import { untilDone } from "../retry.js";
import type { Registration, Session } from "../session.js";

export function handleRegister(session: Session, request: RegisterWorkerRequest, deps: MessageDeps): void {
  if (session.registration !== undefined) {
    throw new DispatchError("already_exists", "registered already; one register a connection");
  }
  const registration = readRegistration(request, session.context);
  session.register(registration);
  session.inOrder(() => complete(session, registration, deps));
}

async function complete(session: Session, registration: Registration, deps: MessageDeps): Promise<void> {
  const { leases, sessions, metrics, clock, serverInfo } = deps;
  const { namespace } = registration;
  const sentAtMs = await untilDone(
    clock,
    () => session.phase === "registering",
    () => writeOrRefuse(session, registration, deps),
    (error) => session.log.warn({ err: error }, "registration not yet written; trying again"),
  );
  // The socket is gone: what was written, or may have been, is taken back by whoever saw it go.
  if (sentAtMs === undefined || sentAtMs === "refused" || session.phase !== "registering") return;
  leases.taken(namespace, sentAtMs);
  sessions.registered(namespace, session);
  session.registered();
  session.send({ case: "register", value: { workerId: session.id, serverInfo } });
  metrics.sessionRegistered();
  session.log.info(
    { version: registration.version, clientIp: session.context.clientIp },
    "worker registered",
  );
}

/** A refusal is final: it is told, and not tried again. */
async function writeOrRefuse(
  session: Session,
  registration: Registration,
  deps: MessageDeps,
): Promise<number | "refused"> {
  try {
    return await write(session, registration, deps);
  } catch (error) {
    if (!(error instanceof DispatchError)) throw error;
    refuse(session, error, deps);
    return "refused";
  }
}

/** Answers when the write that succeeded was sent. */
async function write(session: Session, registration: Registration, deps: MessageDeps): Promise<number> {
  // Before the session itself: an order that names no namespace must find this one by the time it has a worker.
  await deps.agents.remember(registration);
  // A lease that lapsed unnoticed must not be lengthened by a newcomer while the others have been swept.
  await deps.leases.confirm(registration.namespace);
  const sentAtMs = deps.clock.now();
  await deps.records.write(session);
  return sentAtMs;
}
