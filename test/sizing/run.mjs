/** `npm run sizing`: measures the built services, so what changed since the last build is built first. */
import { ensureInstalled, run } from "../../scripts/lib/run.mjs";

const STDERR = 2;

await ensureInstalled();
// Nothing is measured for --help. What is printed for --json must be nothing but that.
if (!process.argv.includes("--help")) {
  const build = ["turbo", "run", "build", "--output-logs=errors-only", "--log-order=grouped"];
  const code = await run("npx", build, { stdio: ["ignore", STDERR, STDERR] });
  if (code !== 0) process.exit(code);
}
const { runSource } = await import("../kit/run-source.mjs");
await runSource("/test/sizing/main.ts");
