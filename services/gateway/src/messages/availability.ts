/** AvailabilityResponse: the answer to an offer, by wire id. Whether that offer is still open is known in offers.ts. */

import type { AvailabilityResponse } from "@muster/wire/generated/livekit";
import type { MessageDeps } from "../message-deps.js";
import type { Session } from "../session.js";

export function handleAvailability(
  session: Session,
  answer: AvailabilityResponse,
  { offers }: MessageDeps,
): void {
  offers.answer(session, answer);
}
