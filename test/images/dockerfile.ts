/**
 * Owns the Dockerfile as tests see it: what BuildKit's own parser says of it, and which files a build would be sent.
 */
import { fileURLToPath } from "node:url";
import { runGoProgram } from "../kit/go-program.js";

export interface Command {
  name: string;
  /** As written. */
  text: string;
  /** Of COPY. */
  sources?: string[];
  destination?: string;
  /** Of COPY: the stage, or nothing for the context. */
  from?: string;
  /** Of RUN, ENTRYPOINT, HEALTHCHECK. */
  words?: string[];
  /** Whether a shell reads the words. */
  shell?: boolean;
  /** Of the others: "10001:10001", "7880", "key=value". */
  values?: string[];
}

export interface Stage {
  name: string;
  base: string;
  commands: Command[];
}

export interface Dockerfile {
  arguments: Record<string, string>;
  stages: Stage[];
  warnings: string[];
  /** Every file that a build would be sent. */
  context: string[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @throws Error with what BuildKit says when it would refuse the file. */
export function readDockerfile(path: string, context = root): Dockerfile {
  return runGoProgram(new URL("dockerfile-check", import.meta.url), [path, context]) as Dockerfile;
}

/** All commands of a target, those of the stages below it first. */
export function commandsOf({ stages }: Dockerfile, target: string): Command[] {
  const stage = stages.find(({ name }) => name === target);
  if (stage === undefined) return [];
  return [...commandsOf({ stages } as Dockerfile, stage.base), ...stage.commands];
}
