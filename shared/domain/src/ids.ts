/**
 * Names of things: how ids are made, what they look like, and how a job's id is written on the wire.
 * Ids are opaque to users; only the wire id is ever taken apart, and only here.
 */

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const ID_BODY_LENGTH = 14;

export const ID_PREFIX = {
  order: "AD_",
  job: "AJ_",
  session: "AW_",
  node: "NO_",
  drain: "DR_",
} as const;

export type IdKind = keyof typeof ID_PREFIX;

/** An id whose body is read off `bytes` (at least 14 random or hashed bytes). Same bytes, same id. */
export function idFrom(kind: IdKind, bytes: Uint8Array): string {
  let body = "";
  for (let index = 0; index < ID_BODY_LENGTH; index++) {
    body += ALPHABET[(bytes[index] ?? 0) % ALPHABET.length];
  }
  return ID_PREFIX[kind] + body;
}

/**
 * The job id as sent to workers. SDKs key everything by job id and the wire has no epoch, so each offer after the
 * first carries the number of the offer: `AJ_x`, `AJ_x.2`, `AJ_x.3`.
 */
export function wireId(jobId: string, offerNumber: number): string {
  return offerNumber <= 1 ? jobId : `${jobId}.${offerNumber}`;
}

/** The job that a wire id names; the number of the offer is compared by the ledger, on the whole wire id. */
export function jobOfWireId(wire: string): string {
  const dot = wire.indexOf(".");
  return dot === -1 ? wire : wire.slice(0, dot);
}

/** True for a job's own id, and for one that an offer of it carried. */
export function isNameOfJob(text: string, { id, offers }: { id: string; offers: number }): boolean {
  if (text === id) return true;
  const offer = Number(text.slice(id.length + 1));
  return offer >= 2 && offer <= offers && text === wireId(id, offer);
}

/** True for what can be an id of ours or of LiveKit's: short, printable, without the characters that part our keys. */
export function isId(text: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(text);
}
