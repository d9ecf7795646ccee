/**
 * The only place where a Redis key of the ledger gets its prefix and its hash tag. Everything of one namespace
 * carries `{<namespace>}`, so that each script runs on one slot; a project's directory has a slot of its own.
 * Names behind the tag are in the headers of lua/*.lua; INVARIANTS.md has the table.
 */

export const KEY_PREFIX = "muster:";

/** Start of every key of a namespace: `muster:{default:eu}:`. The name was validated when it came in. */
export function namespaceTag(namespace: string): string {
  return `${KEY_PREFIX}{${namespace}}:`;
}

/** Start of the keys of a project's directory: what spans its namespaces. */
export function projectTag(project: string): string {
  return `${KEY_PREFIX}{directory:${project}}:`;
}

/** Start of the keys of what a project has defined: its rules and room configurations. No namespace has a slash in its name. */
export function definitionsTag(project: string): string {
  return `${KEY_PREFIX}{definitions/${project}}:`;
}

/**
 * Start of the keys of one room of LiveKit, whoever has work in it. No namespace has a slash in its name. A name with a brace
 * would end the hash tag before its end, and a script would take for the room's what is another's: it is written in hex.
 */
export function roomTag(room: string): string {
  const isPlain = !room.includes("}");
  return `${KEY_PREFIX}{${isPlain ? `room/${room}` : `room-hex/${Buffer.from(room).toString("hex")}`}}:`;
}
