/**
 * SimulateJobRequest: a worker wants a job of its own making, which only it may take. Room and participant are kept as
 * the bytes of their messages, so that fields newer than our schema come back to it.
 */

import { DispatchError } from "@muster/domain/errors";
import { MAX_ROOM_NAME_BYTES, MAX_SIMULATION_BYTES } from "@muster/domain/limits";
import type { JobType } from "@muster/domain/pool";
import type { Room, SimulateJobRequest } from "@muster/wire/generated/livekit";
import { encodeParticipant, encodeRoom } from "@muster/wire/job-message";
import type { MessageDeps } from "../message-deps.js";
import type { Registration, Session } from "../session.js";
import { afterSimulation, SIMULATIONS_PER_S } from "../simulation-rate.js";

export function handleSimulateJob(
  session: Session,
  { namespace }: Registration,
  request: SimulateJobRequest,
  deps: MessageDeps,
): void {
  const rate = afterSimulation(session.simulations, deps.clock.now());
  if (rate === undefined) {
    deps.metrics.simulationsRefused();
    session.close(
      "over_limit",
      `simulate_job: more than ${SIMULATIONS_PER_S} a second; ask for fewer at a time`,
    );
    return;
  }
  session.simulations = rate;
  const room = checkRoom(request.room);
  const { participant } = request;
  const roomBytes = encodeRoom(room);
  const participantBytes = participant === null ? undefined : encodeParticipant(participant);
  if (roomBytes.byteLength + (participantBytes?.byteLength ?? 0) > MAX_SIMULATION_BYTES) {
    throw refuse("room", `larger than ${MAX_SIMULATION_BYTES} bytes, with the participant`);
  }
  const roomInfo = base64(roomBytes);
  const participantInfo = participantBytes === undefined ? "" : base64(participantBytes);
  // The request's own type is not looked at: livekit-server makes it a publisher's job where one is named.
  const type: JobType = participant === null ? "room" : "publisher";
  session.inOrder(
    () => create(session, namespace, { room: room.name, type, roomInfo, participantInfo }, deps),
    roomInfo.length + participantInfo.length,
  );
}

interface Simulation {
  room: string;
  type: JobType;
  roomInfo: string;
  participantInfo: string;
}

async function create(
  session: Session,
  namespace: string,
  simulation: Simulation,
  deps: MessageDeps,
): Promise<void> {
  const { ledger, leases, link, metrics, newId } = deps;
  const job = newId("job");
  await leases.confirm(namespace);
  const reply = await ledger.simulateJob({
    namespace,
    job,
    session: session.id,
    ...simulation,
    ...deps.simulation,
  });
  session.log.info({ job, type: simulation.type, outcome: reply.status }, "simulated job");
  if (reply.status !== "created") return;
  metrics.jobSimulated();
  link.tell(namespace, { kind: "admit", job });
}

function checkRoom(room: Room | null): Room {
  if (room === null || room.name === "") throw refuse("room", "is required, with a name");
  if (Buffer.byteLength(room.name) > MAX_ROOM_NAME_BYTES) {
    throw refuse("room.name", `longer than ${MAX_ROOM_NAME_BYTES} bytes`);
  }
  return room;
}

/** As the ledger keeps it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function refuse(field: string, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, `simulate_job.${field}`);
}
