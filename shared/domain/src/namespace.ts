/**
 * The namespace: the unit of isolation, of ownership and of atomicity. One actor, one Redis hash tag.
 * Its name is the project, or the project and the worker's namespace field. It becomes part of Redis keys, so its
 * characters are few and refused at the door.
 */

export const DEFAULT_PROJECT = "default";
const PART = /^[A-Za-z0-9._-]{1,64}$/;

/** True when `text` can name a project or be a worker's namespace field: 1–64 of `A-Z a-z 0-9 . _ -`. */
export function isNamespacePart(text: string): boolean {
  return PART.test(text);
}

/** The namespace of a project, narrowed by the namespace field that a worker or an order gave ("" = none). */
export function namespaceName(project: string, field: string): string {
  return field === "" ? project : `${project}:${field}`;
}

export function projectOf(namespace: string): string {
  const colon = namespace.indexOf(":");
  return colon === -1 ? namespace : namespace.slice(0, colon);
}

/** The namespace field alone, as it stands in `Job.namespace` on the wire; "" in a project's default namespace. */
export function fieldOf(namespace: string): string {
  const colon = namespace.indexOf(":");
  return colon === -1 ? "" : namespace.slice(colon + 1);
}
