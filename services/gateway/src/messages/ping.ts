/** WorkerPing: answered in every phase, before registration too, as livekit-server does. */

import type { WorkerPing } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import type { Session } from "../session.js";

export function handlePing(session: Session, ping: WorkerPing, { clock }: MessageDeps): void {
  session.send({
    case: "pong",
    value: { lastTimestamp: ping.timestamp, timestamp: BigInt(clock.now()) },
  });
}
