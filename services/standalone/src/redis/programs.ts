/** Looks for programs on a PATH, and reads what one that failed had to say. Starts none. */

import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

export function pathOf(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
}

export async function isOnPath(name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  for (const folder of pathOf(env)) {
    if (await isExecutable(join(folder, name))) return true;
  }
  return false;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first line of a failed program's stderr that is no warning; of the error itself when there is none. */
export function firstLine(error: unknown): string {
  const text =
    (error as { stderr?: string }).stderr || (error instanceof Error ? error.message : String(error));
  const lines = text.trim().split("\n");
  return lines.find((line) => !line.startsWith("W: ")) ?? lines[0] ?? "";
}
