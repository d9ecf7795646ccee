/**
 * Ids of stream entries, `<ms>-<number>`, which are also the cursors of everybody who reads one: their order, and which
 * text is one.
 */

/** Before every entry. */
export const FIRST_ID = "0-0";

export function isStreamId(text: string): boolean {
  return /^\d{1,15}-\d{1,15}$/.test(text);
}

/** Below 0 when `one` is the earlier, 0 when they are the same. */
export function compareStreamIds(one: string, other: string): number {
  const [oneMs = 0, oneNumber = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split("-").map(Number);
  return oneMs - otherMs || oneNumber - otherNumber;
}
