/**
 * A hook: one url that gets the events of one project. Owns its id, under which its queue and its dead letters lie in
 * Redis: made of what it is, so that every process and every restart finds the same one.
 */

import { createHash } from "node:crypto";

export interface Hook {
  id: string;
  project: string;
  url: string;
}

export function hookFor(project: string, url: string): Hook {
  const id = createHash("sha256").update(`${project}\n${url}`).digest("hex").slice(0, 16);
  return { id, project, url };
}

/** For logs and answers: without the query, in which some receivers want a secret. */
export function shownUrl({ url }: Hook): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === "" ? "" : "?…"}`;
}
