/**
 * What builds of each schema that this one lives with write for others to read: one file a schema, as they wrote it. Whoever
 * reads such a thing reads each of them, or two versions cannot run side by side. The files of schemas that were released
 * are never changed; that of a schema that is still to be released is what this build writes.
 */
import { readFileSync } from "node:fs";
import { SCHEMA } from "@muster/domain/schema";

export interface Written {
  offer: Record<string, unknown>;
  stop: Record<string, unknown>;
  close: Record<string, unknown>;
  hints: Record<string, unknown>[];
  entry: Record<string, unknown>;
  event: Record<string, unknown>;
  rule: Record<string, unknown>;
  configuration: Record<string, unknown>;
}

/** Throws where the file of that schema is missing. */
export function writtenBy(schema: number): Written {
  return JSON.parse(readFileSync(new URL(`written-by/${schema}.json`, import.meta.url), "utf8")) as Written;
}

/** By schema, the oldest first, ours last. */
export const WRITTEN: readonly [schema: number, written: Written][] = Array.from(
  { length: SCHEMA.writes - SCHEMA.livesWith + 1 },
  (_, index) => [SCHEMA.livesWith + index, writtenBy(SCHEMA.livesWith + index)],
);
