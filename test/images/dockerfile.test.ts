/**
 * What must be true of the Dockerfile, as BuildKit itself reads it: no engine is needed for that. That what it builds also
 * runs is packed-services.test.ts.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { fileURLToPath } from "node:url";
import { apiSchema } from "@muster/api/config";
import { dispatcherSchema } from "@muster/dispatcher/config";
import { gatewaySchema } from "@muster/gateway/config";
import { describe, expect, it } from "vitest";
import { standaloneSchema } from "../../services/standalone/src/config.js";
import { commandsOf, type Dockerfile, readDockerfile } from "./dockerfile.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const file = `${root}deploy/images/Dockerfile`;
const dockerfile = readDockerfile(file);
const SERVICES = readdirSync(join(root, "services"));
/** The `muster` command: its target is ready before its folder is. */
const TARGETS = [...new Set([...SERVICES, "cli"])];
const KEYS = { redisUrl: "redis://127.0.0.1", keys: "key: secret" };
const PORTS = {
  gateway: gatewaySchema.parse(KEYS).port,
  dispatcher: dispatcherSchema.parse(KEYS).port,
  api: apiSchema.parse(KEYS).port,
  standalone: standaloneSchema.parse({}).port,
};
/** glibc 2.38 or later: Debian 13 and what follows. */
const SUITES = /^(node|debian):[\w.-]*\b(trixie|forky)\b[\w.-]*$/;

const valuesOf = (target: string, name: string) =>
  commandsOf(dockerfile, target)
    .filter((command) => command.name === name)
    .flatMap(({ values = [] }) => values);
const wordsOf = (target: string, name: string) =>
  commandsOf(dockerfile, target).findLast((command) => command.name === name);
const runLines = (target: string) =>
  commandsOf(dockerfile, target).flatMap(({ name, words }) => (name === "RUN" ? [words?.join(" ")] : []));

describe("the Dockerfile", () => {
  it("is one that BuildKit takes, without a warning", () => {
    expect(dockerfile.warnings).toEqual([]);
  });

  it("has a target for each service, and a build without a target makes the one that runs alone", () => {
    const stages = dockerfile.stages.map(({ name }) => name);
    expect(stages.filter((name) => TARGETS.includes(name)).sort()).toEqual(TARGETS.sort());
    expect(stages.at(-1)).toBe("standalone");
  });

  it("builds on images with a tag, of a Debian whose glibc loads uWebSockets.js", () => {
    for (const { base } of dockerfile.stages) {
      const [, argument = ""] = /^\$\{(\w+)\}$/.exec(base) ?? [];
      if (argument === "") expect(dockerfile.stages.map(({ name }) => name)).toContain(base);
      else expect(dockerfile.arguments[argument]).toMatch(SUITES);
    }
  });

  it("copies only what is there and is sent to the build", () => {
    for (const { name, commands } of dockerfile.stages) {
      for (const { sources = [], from, text } of commands) {
        if (from !== undefined && from !== "") {
          expect(
            dockerfile.stages.map((stage) => stage.name),
            text,
          ).toContain(from);
          if (from === "build") expect(sources).toEqual([`/packed/${name}`]);
          continue;
        }
        for (const source of sources) expect(sentFor(source), `${text}: ${source}`).not.toEqual([]);
      }
    }
  });

  it("sends what a build reads, and no built file, test or secret", () => {
    const sent = dockerfile.context;
    const named = sent.filter((path) => path.endsWith("package.json"));
    const { workspaces } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
      workspaces: string[];
    };
    for (const workspace of workspaces)
      expect(named.some((path) => matchesGlob(path, `${workspace}/package.json`))).toBe(true);
    // What is copied before the installation must name every workspace, or the lockfile is refused.
    expect(named.filter((path) => !/^([^/]+\/){0,2}package\.json$/.test(path))).toEqual([]);
    for (const folder of [
      "shared/ledger/lua",
      "shared/wire/scripts",
      "services/gateway/src",
      "proto/livekit",
    ])
      expect(sent.some((path) => path.startsWith(`${folder}/`))).toBe(true);
    expect(
      sent.filter((path) => /(^|\/)(dist|node_modules|\.git|\.env[^/]*)(\/|$)|\.test\.ts$/.test(path)),
    ).toEqual([]);
  });

  it("runs in its build what the tests run, and nothing else", () => {
    expect(runLines("build")).toEqual([
      // The next test, save for the installing itself.
      "npm ci --workspace services --include-workspace-root --no-audit --no-fund",
      // `npm test` builds by the same task.
      "TURBO_TELEMETRY_DISABLED=1 npm run build",
      // packed-services.test.ts
      "node scripts/pack-services.mjs /packed",
    ]);
  });

  it("can install by its lockfile, with the files that it copies before that", () => {
    const scratch = mkdtempSync(join(tmpdir(), "muster-context-"));
    try {
      const [early] = commandsOf(dockerfile, "build").filter(({ name }) => name === "COPY");
      for (const path of new Set(early?.sources?.flatMap(sentFor)))
        cpSync(join(root, path), join(scratch, path), { recursive: true });
      const [command = "", ...args] = runLines("build")[0]?.split(" ") ?? [];
      const options = { cwd: scratch, encoding: "utf8", stdio: "pipe" } as const;
      const printed = execFileSync(command, [...args, "--dry-run", "--ignore-scripts"], options);
      expect(printed).toMatch(/added \d+ packages/);
      // None of what only tests need.
      expect(printed).not.toMatch(/add @livekit\/(agents|rtc-node)/);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  it.each(TARGETS)("%s runs as a user that is a number, under tini, with labels", (target) => {
    expect(valuesOf(target, "USER").at(-1)).toBe("10001:10001");
    const entrypoint = wordsOf(target, "ENTRYPOINT");
    expect(entrypoint?.shell).toBeFalsy();
    expect(entrypoint?.words).toEqual(["tini", "--", "node", `/app/services/${target}/dist/main.js`]);
    expect(runLines(target).join(" ")).toMatch(/\btini\b/);
    const labels = valuesOf(target, "LABEL").map((label) => label.split("=")[0]);
    for (const label of ["title", "description", "licenses", "version", "revision", "vendor"])
      expect(labels).toContain(`org.opencontainers.image.${label}`);
    for (const run of runLines(target).filter((line) => line?.includes("apt-get install")))
      expect(run).toMatch(/--no-install-recommends.*rm -rf \/var\/lib\/apt\/lists/);
  });

  it.each(Object.entries(PORTS))("%s exposes and asks its default port %d", (target, port) => {
    expect(valuesOf(target, "EXPOSE")).toEqual([String(port)]);
    expect(wordsOf(target, "HEALTHCHECK")?.words).toEqual([
      "CMD",
      "node",
      "/app/healthcheck.mjs",
      String(port),
    ]);
  });

  it("keeps the data of a standalone in a volume that its user may write", () => {
    expect(valuesOf("standalone", "VOLUME")).toEqual(["/data"]);
    expect(valuesOf("standalone", "ENV")).toContain("MUSTER_DATA_DIR=/data");
    expect(runLines("standalone").join(" ")).toMatch(/redis-server.*--owner 10001 --group 10001 \/data/);
  });
});

describe("the check itself", () => {
  it("is refused what BuildKit refuses, and told what BuildKit warns of", () => {
    const bad = `${root}test/images/fixtures/unknown-instruction.Dockerfile`;
    expect(() => readDockerfile(bad)).toThrow(/unknown instruction: INSTALL/i);
    const warned: Dockerfile = readDockerfile(`${root}test/images/fixtures/warned.Dockerfile`);
    expect(warned.warnings.join("\n")).toMatch(/StageNameCasing|MaintainerDeprecated/);
  });
});

/** What of the context a source of COPY stands for. */
function sentFor(source: string): string[] {
  if (source === ".") return dockerfile.context;
  const path = source.replace(/\/$/, "");
  return dockerfile.context.filter((sent) => sent.startsWith(`${path}/`) || matchesGlob(sent, path));
}
