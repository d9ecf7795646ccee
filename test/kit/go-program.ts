/**
 * Owns small Go programs of the tests: built when they are first needed, into node_modules/.cache, where Go's own cache
 * makes a second build free. Their modules are pinned by the go.sum beside them.
 */
import { execFile, execFileSync } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** From an empty cache; one that has livekit-server in it takes two to three minutes. */
export const BUILD_MS = 300_000;
const RUN_MS = 20_000;

const programOf = (source: string) => `${root}node_modules/.cache/go-programs/${basename(source)}`;
const buildArgs = (program: string) => ["build", "-mod=readonly", "-p", "2", "-o", program, "."];

/** @returns where it is. Not synchronous: vitest takes a worker for dead that does not answer it for a minute. */
export async function buildGoProgram(folder: URL): Promise<string> {
  const source = fileURLToPath(folder);
  const program = programOf(source);
  await promisify(execFile)("go", buildArgs(program), { cwd: source, timeout: BUILD_MS });
  return program;
}

/** @returns what it prints, as JSON; @throws Error with what it wrote to stderr, when it exits with another code than 0 */
export function runGoProgram(folder: URL, args: readonly string[]): unknown {
  const source = fileURLToPath(folder);
  const program = programOf(source);
  execFileSync("go", buildArgs(program), {
    cwd: source,
    stdio: "pipe",
    timeout: BUILD_MS,
  });
  const printed = execFileSync(program, args, {
    encoding: "utf8",
    stdio: "pipe",
    timeout: RUN_MS,
    maxBuffer: 32 * 1024 * 1024,
  });
  return JSON.parse(printed);
}
