/**
 * Owns where events lie in Redis on their way out. A namespace's outbox is on its own slot, since the scripts that change
 * a job write its event in the same breath; a project's feed is on one of its own. No namespace holds a slash.
 */

/** Stream: what the scripts of one namespace wrote and nobody has moved yet. */
export const outboxKey = (namespace: string): string => `muster:{${namespace}}:events`;

const feedTag = (project: string): string => `muster:{events/${project}}:`;

/** Stream: all events of a project, the newest kept. */
export const feedKey = (project: string): string => `${feedTag(project)}feed`;

/** String: how far one namespace's outbox was moved; expires. */
export const movedKey = (namespace: string, project: string): string =>
  `${feedTag(project)}moved:${namespace}`;

/** String: somebody wants this project's events; expires. */
export const listenedKey = (project: string): string => `${feedTag(project)}listened`;
