/** What a worker said is refused, for good: it is counted, logged, and its socket closed with the code that says why. */

import type { DispatchError } from "@muster/domain/errors";
import { closeNameOf } from "@muster/wire/close-codes";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Session } from "./session.js";

export function refuse(
  session: Session,
  error: DispatchError,
  { metrics }: { metrics: Pick<GatewayMetrics, "messageRefused"> },
): void {
  metrics.messageRefused(error.code);
  session.log.info({ code: error.code, field: error.field }, "message refused");
  session.close(closeNameOf(error.code), error.message);
}
