/** Builds what changed since the last build, since what is measured are the built services. */
import { spawnSync } from "node:child_process";

const BUILD = ["turbo", "run", "build", "--output-logs=errors-only", "--log-order=grouped"];
/** What it says goes to stderr: with --json nothing but JSON is printed. */
const STDERR = 2;

export function buildServices(root: string): void {
  const { status } = spawnSync("npx", BUILD, { cwd: root, stdio: ["ignore", STDERR, STDERR] });
  if (status !== 0) throw new Error("the services could not be built; see above");
}
