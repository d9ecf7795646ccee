/** The alerts before promtool: they are rules, their tests hold, and their tests would notice. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ALERT_TESTS, ALERTS_FILE, readRules, readText, root } from "./files.js";
import { mutantsOf, testsOfMutants } from "./mutants.js";
import { prometheusPrograms } from "./prometheus-programs.js";

const testFile = (name: string): string => `deploy/prometheus/tests/${name}.yaml`;

interface Run {
  code: number;
  output: string;
}

async function promtool(...args: string[]): Promise<Run> {
  const options = { cwd: root, maxBuffer: 64_000_000 };
  return await new Promise((resolve) => {
    execFile(prometheusPrograms().promtool, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

/** Side by side: it uses one core for each. */
const testAll = (files: readonly string[]): Promise<Run[]> =>
  Promise.all(files.map((file) => promtool("test", "rules", file)));

it("promtool takes them for rules", { timeout: 180_000 }, async () => {
  expect(await promtool("check", "rules", ALERTS_FILE)).toMatchObject({ code: 0 });
});

it("each fires when it should, and not when it should not", async () => {
  for (const run of await testAll(ALERT_TESTS.map(testFile))) expect(run).toMatchObject({ code: 0 });
});

it("each bound and each waiting time, changed, fails a test", async () => {
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
    const output = (await testAll(tests)).map((run) => run.output).join("\n");
    const caught = new Set([...output.matchAll(/alertname=\\"(Mutant\w+)\\"/g)].map(([, name]) => name));
    const survivors = mutants.filter(({ name }) => !caught.has(name));
    expect(survivors.map(({ of, change }) => `${of}: ${change}`)).toEqual([]);
    expect(mutants.length).toBeGreaterThan(100);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
