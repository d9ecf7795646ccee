/**
 * Owns the shape of one entry of an inbox stream: a batch of messages as a JSON array in the field `m`, or one of the
 * marks by which an inbox tells its own reader something. Whoever writes a stream may be of another version: what does
 * not fit is refused as a value, never by a throw.
 */

export interface StreamEntry {
  id: string;
  /** Names and values in turn. */
  fields: string[];
}

export const BATCH_FIELD = "m";
export const NOTHING_READ = "0-0";

/** The one text of an entry that holds these messages, each already JSON. */
export function batchOf(messages: readonly string[]): string {
  return `[${messages.join(",")}]`;
}

/** The messages of an entry; undefined when it is malformed. */
export function messagesOf({ fields: [name, text] }: StreamEntry): unknown[] | undefined {
  if (name !== BATCH_FIELD || text === undefined) return undefined;
  try {
    const messages: unknown = JSON.parse(text);
    return Array.isArray(messages) ? messages : undefined;
  } catch {
    // Not JSON: as malformed as anything else that is not a batch.
    return undefined;
  }
}

export function isMark({ fields: [name] }: StreamEntry, mark: "open" | "close"): boolean {
  return name === mark;
}

/** Entries as XREAD and XRANGE give them. */
export function parseEntries(reply: unknown): StreamEntry[] {
  if (!Array.isArray(reply)) return [];
  const entries: StreamEntry[] = [];
  for (const item of reply) {
    if (!Array.isArray(item) || typeof item[0] !== "string" || !Array.isArray(item[1])) continue;
    entries.push({ id: item[0], fields: item[1].map(String) });
  }
  return entries;
}
