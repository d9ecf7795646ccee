/**
 * `npm test`: checks, build and every test, from a fresh clone. Arguments go to vitest: `npm test -- claims`.
 * Closes with one line that counts: `N passed, N failed, N skipped`.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bringLivekitServer, NEWEST, OLDEST } from "./lib/livekit-server.mjs";
import { ensureBuilt, ensureInstalled, root, run } from "./lib/run.mjs";

await ensureInstalled();
// Beside the checks, and done before the first test: its compilers would make tests late.
const livekit =
  process.env.LIVEKIT_SERVER_BIN === undefined
    ? (async () => [await bringLivekitServer(NEWEST), await bringLivekitServer(OLDEST)])()
    : Promise.resolve([]);
const checks = await run(process.execPath, [`${root}scripts/check.mjs`]);
await ensureBuilt();
const lacking = (await livekit).flatMap(({ missing }) => missing ?? []);
for (const reason of lacking)
  process.stdout.write(`WARNING: ${reason}. The tests that need it cannot run.\n`);
const redis = JSON.parse(
  execFileSync(process.execPath, [`${root}services/standalone/dist/redis/bring-redis.js`, `${root}data`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }),
);

const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
const report = join(folder, "report.json");
const code = await run(
  "npx",
  [
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  {
    env: {
      ...process.env,
      PATH: `${dirname(redis.path)}:${process.env.PATH}`,
      LD_LIBRARY_PATH: redis.libraryPath ?? process.env.LD_LIBRARY_PATH ?? "",
    },
  },
);
const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
  readFileSync(report, "utf8"),
);
rmSync(folder, { recursive: true });
for (const reason of lacking) process.stdout.write(`NOT TESTED beside a livekit-server: ${reason}\n`);
if (checks !== 0) process.stdout.write("The checks at the start failed; see above.\n");
// A suite that could not be loaded has no failed test of its own, and is a failure all the same.
const failed = Math.max(numFailedTests, numFailedTestSuites > 0 ? 1 : 0) + (checks === 0 ? 0 : 1);
process.stdout.write(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped\n`);
process.exit(code === 0 && failed === 0 ? 0 : 1);
