/**
 * The setting that names receivers: lines or a comma-separated list, in a file also a list. Owns which url can be one; a
 * problem names the line and never repeats it, for a url can hold a secret.
 */

import { z } from "zod";

/** Each has a queue, and is looked after all the time. */
const MOST_URLS = 16;
const MOST_URL_LENGTH = 2_048;

export const webhookUrls = z
  .unknown()
  .transform((value, context): readonly string[] => {
    const lines = linesIn(value);
    const problem = lines === undefined ? "must be urls, one a line" : problemOf(lines);
    if (lines !== undefined && problem === undefined) return [...new Set(lines)];
    context.addIssue({ code: "custom", message: problem ?? "must be usable" });
    return z.NEVER;
  })
  .meta({ secret: true });

function linesIn(value: unknown): string[] | undefined {
  const given = typeof value === "string" ? value.split(/[\n,]/) : value;
  if (!Array.isArray(given) || !given.every((line) => typeof line === "string")) return undefined;
  return given.map((line) => line.trim()).filter((line) => line !== "");
}

function problemOf(lines: readonly string[]): string | undefined {
  if (lines.length > MOST_URLS) return `must be at most ${MOST_URLS} urls`;
  for (const [index, line] of lines.entries()) {
    const at = `; url ${index + 1} is not`;
    const isHttp = URL.canParse(line) && ["http:", "https:"].includes(new URL(line).protocol);
    if (!isHttp || line.length > MOST_URL_LENGTH) {
      return `must be urls that start with http:// or https://, ${MOST_URL_LENGTH} characters at most${at}`;
    }
    const { username, password } = new URL(line);
    // They would go into the header that carries the signature.
    if (username !== "" || password !== "") return `must be without user and password${at}`;
  }
  return undefined;
}
