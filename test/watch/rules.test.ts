/** The alerts before promtool: they are rules, their tests hold, and their tests would notice. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ALERT_TESTS, ALERTS_FILE, readRules, readText, root } from "./files.js";
import { mutantsOf, testsOfMutants } from "./mutants.js";
import { prometheusPrograms } from "./prometheus-programs.js";

const testFile = (name: string): string => `deploy/prometheus/tests/${name}.yaml`;

function promtool(...args: string[]): { code: number | null; output: string } {
  const options = { cwd: root, encoding: "utf8", maxBuffer: 64_000_000 } as const;
  const { status, stdout, stderr } = spawnSync(prometheusPrograms().promtool, args, options);
  return { code: status, output: stdout + stderr };
}

it("promtool takes them for rules", { timeout: 180_000 }, () => {
  expect(promtool("check", "rules", ALERTS_FILE)).toMatchObject({ code: 0 });
});

it("each fires when it should, and not when it should not", () => {
  expect(promtool("test", "rules", ...ALERT_TESTS.map(testFile))).toMatchObject({ code: 0 });
});

it("each bound and each waiting time, changed, fails a test", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-mutants-"));
  try {
    const file = readRules();
    const mutants = mutantsOf(file);
    const tests = ALERT_TESTS.map((name) => {
      const { rules, tests } = testsOfMutants(readText(testFile(name)), file, mutants);
      writeFileSync(join(folder, `${name}-rules.yaml`), rules);
      writeFileSync(join(folder, `${name}.yaml`), tests(`${name}-rules.yaml`));
      return join(folder, `${name}.yaml`);
    });
    const { output } = promtool("test", "rules", ...tests);
    const caught = new Set([...output.matchAll(/alertname=\\"(Mutant\w+)\\"/g)].map(([, name]) => name));
    const survivors = mutants.filter(({ name }) => !caught.has(name));
    expect(survivors.map(({ of, change }) => `${of}: ${change}`)).toEqual([]);
    expect(mutants.length).toBeGreaterThan(100);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
