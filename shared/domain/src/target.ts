/**
 * Whom a work order is for: the room, or those of its participants that match. Owns the bounds on a target, its one
 * stable text (as the ledger keeps it, and as two calls are compared by), and the matching. Knows nothing of rooms or
 * jobs: who is there, and who has a job already, is for others to say.
 */

import { DispatchError } from "./errors.js";
import { MAX_ATTRIBUTES_BYTES, MAX_IDENTITY_BYTES } from "./limits.js";
import { PARTICIPANT_KINDS, type ParticipantKind } from "./room.js";
import { matchesWildcard, patternProblem } from "./wildcard.js";

export const TARGETS = ["room", "publishers", "participants"] as const;

/** What is given besides `for` narrows it down; who is meant fulfils all of it. */
export interface Target {
  /** The room gets one job. Publishers are those who published a track, participants are all. */
  for: (typeof TARGETS)[number];
  identities?: readonly string[];
  /** With `*` and `?`, see wildcard.ts. */
  identityPattern?: string;
  /** Each of them must be there with that very value. */
  attributes?: Readonly<Record<string, string>>;
  /** All but agents and egress when not given. */
  kinds?: readonly ParticipantKind[];
}

/** What is to be known of a participant to match it. */
export interface Matchable {
  identity: string;
  kind: ParticipantKind;
  attributes: Readonly<Record<string, string>>;
  publishes: boolean;
}

export const MAX_TARGET_IDENTITIES = 100;
export const MAX_TARGET_ATTRIBUTES = 32;

const ROOM = "room";
const CRITERIA = ["identities", "identityPattern", "attributes", "kinds"] as const;
/** An agent for agents would have one for itself, and so on. */
const DEFAULT_KINDS = PARTICIPANT_KINDS.filter((kind) => kind !== "agent" && kind !== "egress");

export function matches(target: Target, participant: Matchable): boolean {
  const { identity, kind, attributes, publishes } = participant;
  if (target.for === "room" || (target.for === "publishers" && !publishes)) return false;
  if (!(target.kinds ?? DEFAULT_KINDS).includes(kind)) return false;
  if (target.identities !== undefined && !target.identities.includes(identity)) return false;
  if (!Object.entries(target.attributes ?? {}).every(([name, value]) => has(attributes, name, value)))
    return false;
  return target.identityPattern === undefined || matchesWildcard(target.identityPattern, identity);
}

/** The same text for what means the same: `room`, or JSON with lists and names in order and without doubles. */
export function encodeTarget(target: Target): string {
  if (target.for === "room") return ROOM;
  const { identities, identityPattern, attributes, kinds } = target;
  return JSON.stringify({
    for: target.for,
    identities: identities && [...new Set(identities)].sort(),
    identityPattern,
    // As pairs: an object's names would not stay in order when they are numbers, nor be kept when one is __proto__.
    attributes: attributes && Object.entries(attributes).sort(byName),
    kinds: kinds && PARTICIPANT_KINDS.filter((kind) => kinds.includes(kind)),
  });
}

/** @throws DispatchError `malformed` for a text that encodeTarget cannot have written, `invalid_argument` as checkTarget */
export function parseTarget(text: string): Target {
  if (text === ROOM) return { for: "room" };
  const { attributes, ...rest } = jsonObject(text);
  if (!isListOfPairs(attributes)) throw malformed();
  const target = {
    ...rest,
    ...(attributes === undefined ? {} : { attributes: Object.fromEntries(attributes) }),
  };
  if (!isTarget(target)) throw malformed();
  checkTarget(target);
  return target;
}

/**
 * From the text that the ledger has, where it is to be acted on. undefined: it narrows by something that this version does
 * not know. Without that it would be for more than was meant, so it is for a later version to act on.
 */
export function knownTarget(text: string): Target | undefined {
  try {
    const target = parseTarget(text);
    const known: readonly string[] = ["for", ...CRITERIA];
    return Object.keys(target).every((name) => known.includes(name)) ? target : undefined;
  } catch (error) {
    if (error instanceof DispatchError) return undefined;
    throw error;
  }
}

/** The bounds on what a caller gave. @throws DispatchError `invalid_argument`, with the field as the REST API has it */
export function checkTarget(target: Target): void {
  const { identities, identityPattern, attributes, kinds } = target;
  const given = CRITERIA.find((name) => target[name] !== undefined);
  if (target.for === "room" && given !== undefined) {
    throw refusal(given, "narrows down publishers or participants; a job for the room has none");
  }
  if (identities !== undefined) checkIdentities(identities);
  const problem = identityPattern === undefined ? undefined : patternProblem(identityPattern);
  if (problem !== undefined) throw refusal("identityPattern", problem);
  if (attributes !== undefined) checkAttributes(attributes);
  if (kinds?.length === 0) throw refusal("kinds", "is empty, which matches nobody; leave it out");
}

function checkIdentities(identities: readonly string[]): void {
  if (identities.length === 0)
    throw refusal("identities", "is empty, which matches nobody; leave it out for all");
  if (identities.length > MAX_TARGET_IDENTITIES) {
    throw refusal("identities", `${identities.length} of them; at most ${MAX_TARGET_IDENTITIES} are taken`);
  }
  for (const identity of identities) {
    if (identity === "") throw refusal("identities", "has an empty identity");
    if (bytesOf(identity) > MAX_IDENTITY_BYTES) {
      throw refusal("identities", `has one of more than ${MAX_IDENTITY_BYTES} bytes`);
    }
  }
}

function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(attributes);
  if (entries.length === 0) throw refusal("attributes", "is empty, which matches all; leave it out");
  if (entries.length > MAX_TARGET_ATTRIBUTES) {
    throw refusal("attributes", `${entries.length} of them; at most ${MAX_TARGET_ATTRIBUTES} are taken`);
  }
  if (entries.some(([name]) => name === "")) throw refusal("attributes", "has an empty key");
  const bytes = entries.reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);
  if (bytes > MAX_ATTRIBUTES_BYTES) {
    throw refusal(
      "attributes",
      `${bytes} bytes of keys and values; at most ${MAX_ATTRIBUTES_BYTES} are taken`,
    );
  }
}

/** Only its own: a participant without attributes has no `constructor`. */
function has(attributes: Readonly<Record<string, string>>, name: string, value: string): boolean {
  return Object.hasOwn(attributes, name) && attributes[name] === value;
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    throw malformed();
  }
  throw malformed();
}

function isTarget(value: Record<string, unknown>): value is Record<string, unknown> & Target {
  const { identities, identityPattern, kinds } = value;
  return (
    TARGETS.some((word) => word === value.for && word !== ROOM) &&
    (identities === undefined || isListOf(identities, isText)) &&
    (identityPattern === undefined || isText(identityPattern)) &&
    (kinds === undefined || isListOf(kinds, (kind) => PARTICIPANT_KINDS.some((known) => known === kind)))
  );
}

function isListOfPairs(value: unknown): value is [string, string][] | undefined {
  return (
    value === undefined ||
    isListOf(value, (pair) => isListOf(pair, isText) && (pair as string[]).length === 2)
  );
}

function isListOf(value: unknown, isMember: (member: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isMember);
}

const isText = (value: unknown): value is string => typeof value === "string";
const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength;
const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);

const FIELDS = {
  identities: "target.identities",
  identityPattern: "target.identity_pattern",
  attributes: "target.attributes",
  kinds: "target.kinds",
} as const;

function refusal(criterion: keyof typeof FIELDS, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, FIELDS[criterion]);
}

function malformed(): DispatchError {
  return new DispatchError("malformed", "is not a target as Muster writes it", "target");
}
