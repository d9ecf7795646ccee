/**
 * `npm run upgrade -- FROM=v1.2.3`: the walk from that version to the one that lies here, and back; without FROM from the
 * version before. Ends as the test does. Expects a build.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const given = process.argv.slice(2);
const odd = given.find((argument) => !/^FROM=./.test(argument));
if (odd !== undefined) {
  process.stderr.write(`${odd} is not FROM=<revision>, a commit or tag that is here\n`);
  process.exit(2);
}
const from = given.at(-1)?.slice("FROM=".length);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const child = spawn("npx", ["vitest", "run", "--project", "whole", "test/cluster/rolling-upgrade"], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, ...(from === undefined ? {} : { PREVIOUS: from }) },
});
process.once("SIGTERM", () => child.kill("SIGTERM"));
child.once("exit", (code) => process.exit(code ?? 1));
