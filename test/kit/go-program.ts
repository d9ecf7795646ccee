/**
 * Owns small Go programs of the tests: built when they are first needed, into node_modules/.cache, where Go's own cache
 * makes a second build free. Their modules are pinned by the go.sum beside them.
 */
import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const BUILD_MS = 180_000;
const RUN_MS = 20_000;

/** @returns what it prints, as JSON; @throws Error with what it wrote to stderr, when it exits with another code than 0 */
export function runGoProgram(folder: URL, args: readonly string[]): unknown {
  const source = fileURLToPath(folder);
  const program = `${root}node_modules/.cache/go-programs/${basename(source)}`;
  execFileSync("go", ["build", "-mod=readonly", "-o", program, "."], {
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
