/**
 * When a rule applies to a room: its conditions on the room's name and metadata, the bounds on them, and the matching.
 * Knows nothing of orders or of when a room is looked at. Metadata is whatever an application wrote there: what is no
 * JSON object has no fields, and that is no error.
 */

import { DispatchError } from "./errors.js";
import { MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "./limits.js";
import { patternProblem, wildcardOf } from "./wildcard.js";

/** All that is given must be so; at least one of both is given. */
export interface RoomCondition {
  /** With `*` and `?`, see wildcard.ts. */
  roomPattern?: string | undefined;
  /** Fields of the room's metadata, each with that very text as its value. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

/** A room as rules see it. */
export interface RuledRoom {
  name: string;
  fields: Readonly<Record<string, unknown>>;
}

export const MAX_CONDITION_FIELDS = 32;

/** The top-level fields of a room's metadata; none where it is no JSON object, or too large for a look at it. */
export function metadataFields(metadata: string): Record<string, unknown> {
  if (!metadata.trimStart().startsWith("{") || bytesOf(metadata) > MAX_METADATA_BYTES) return {};
  try {
    return JSON.parse(metadata) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Only its own: metadata without fields has no `constructor`. */
export function fieldIn(fields: RuledRoom["fields"], name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** A condition that is put to many rooms. */
export interface ConditionCheck {
  /** What the names of all rooms begin with that it can hold for. */
  prefix: string;
  /** What is not so, by the names that the REST API has for it: `room_pattern`, `metadata.tier`. Empty when all is. */
  failed(room: RuledRoom): string[];
}

export function conditionCheck({ roomPattern, metadata }: RoomCondition): ConditionCheck {
  const pattern = roomPattern === undefined ? undefined : wildcardOf(roomPattern);
  const asked = Object.entries(metadata ?? {});
  return {
    prefix: pattern?.prefix ?? "",
    failed(room) {
      const isNamed = pattern === undefined || pattern.matches(room.name);
      const missing = asked.filter(([name, value]) => fieldIn(room.fields, name) !== value);
      return [...(isNamed ? [] : ["room_pattern"]), ...missing.map(([name]) => `metadata.${name}`)];
    },
  };
}

export function failedConditions(condition: RoomCondition, room: RuledRoom): string[] {
  return conditionCheck(condition).failed(room);
}

/** @throws DispatchError `invalid_argument`, with the field as the REST API has it */
export function checkCondition({ roomPattern, metadata }: RoomCondition): void {
  const problem = roomPattern === undefined ? undefined : patternProblem(roomPattern);
  if (problem !== undefined) throw refusal("room_pattern", problem);
  if (metadata === undefined) return;
  const entries = Object.entries(metadata);
  if (entries.length === 0) throw refusal("metadata", "is empty, which matches all; leave it out");
  if (entries.length > MAX_CONDITION_FIELDS) {
    throw refusal("metadata", `${entries.length} fields; at most ${MAX_CONDITION_FIELDS} are taken`);
  }
  const bytes = entries.reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);
  if (bytes > MAX_ATTRIBUTES_BYTES) {
    throw refusal(
      "metadata",
      `${bytes} bytes of names and values; at most ${MAX_ATTRIBUTES_BYTES} are taken`,
    );
  }
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength;

function refusal(field: string, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, field);
}
