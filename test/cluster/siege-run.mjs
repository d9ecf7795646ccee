/**
 * `npm run siege -- MINUTES=30 SEED=7 STORE=cluster OF=rooms`: hands its arguments on and ends as the siege does. Expects a build.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const given = process.argv.slice(2).map((argument) => argument.split("="));
const known = new Set(["MINUTES", "SEED", "STORE", "OF"]);
for (const [name] of given) {
  if (known.has(name)) continue;
  process.stderr.write(
    `${name} is not one of MINUTES=30, SEED=7, STORE=single|cluster, OF=jobs|rooms|both\n`,
  );
  process.exit(2);
}
const root = fileURLToPath(new URL("../..", import.meta.url));
const child = spawn("npx", ["vitest", "run", "--config", "test/cluster/siege.config.ts"], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, ...Object.fromEntries(given) },
});
process.once("SIGTERM", () => child.kill("SIGTERM"));
child.once("exit", (code) => process.exit(code ?? 1));
