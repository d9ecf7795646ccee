/**
 * What an event leaves out, read when it is delivered: metadata, attributes, room and participant as the ledger has them.
 * An event of a job that is forgotten by then goes out thin.
 */

import type { JobEvent } from "@muster/domain/job-event";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord, orderRecord } from "@muster/ledger/records";
import type { JobDetails } from "@muster/wire/job-webhook";

export async function readJobDetails(
  ledger: Pick<Ledger, "readRecord">,
  { namespace, job, order }: JobEvent,
): Promise<JobDetails> {
  const [ofJob, ofOrder] = await Promise.all([
    ledger.readRecord({ namespace, kind: "job", id: job }),
    order === "" ? undefined : ledger.readRecord({ namespace, kind: "order", id: order }),
  ]);
  const { roomInfo, participantInfo } = jobRecord(ofJob.status === "found" ? ofJob.record : {});
  const { metadata, attributes } = orderRecord(ofOrder?.status === "found" ? ofOrder.record : {});
  return {
    metadata,
    attributes,
    ...(roomInfo !== "" && { room: Buffer.from(roomInfo, "base64") }),
    ...(participantInfo !== "" && { participant: Buffer.from(participantInfo, "base64") }),
  };
}
