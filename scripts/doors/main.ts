/** `npm run doors`, loaded by run.mjs: reads what it was told, makes one trial after the other, prints and judges. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildServices } from "../../test/sizing/build-services.js";
import { startAttacker } from "./attacker-process.js";
import { ATTACKS } from "./attacks/all.js";
import { FUZZERS } from "./fuzz/all.js";
import { helpText, OptionError, readOptions, type Settings } from "./options.js";
import { detailsOf, type Judged, tableOf } from "./report.js";
import { Trials, type Tried } from "./trial.js";
import { problemsOf } from "./verdict.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** What leaves nothing comes first, so that what is found in Redis is its own; what spoils a house comes last. */
export const ALL: readonly Tried[] = [...ATTACKS, ...FUZZERS].toSorted((a, b) => rank(a) - rank(b));

function rank({ leaves, spoils = false }: Tried): number {
  return spoils ? 2 : leaves === "refused" ? 0 : 1;
}

/** Answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const { isHelp, settings, only, json } = readOptions(
      args,
      ALL.map(({ name }) => name),
    );
    if (isHelp) {
      process.stdout.write(helpText(ALL.map(({ name, about }) => [name, about])));
      return 0;
    }
    if (process.platform !== "linux")
      throw new OptionError("npm run doors reads /proc: it can be run on Linux alone");
    buildServices(root);
    const trials = await runAll(settings, only);
    process.stdout.write(`\n${tableOf(trials)}\n${detailsOf(trials)}\n`);
    if (json !== undefined)
      writeFileSync(resolve(root, json), `${JSON.stringify({ settings, trials }, undefined, 2)}\n`);
    return trials.every(({ problems }) => problems.length === 0) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

/** What `only` names, or all, with the share of inputs that each fuzzer has. */
export async function runAll(settings: Settings, only: readonly string[]): Promise<Judged[]> {
  const chosen = ALL.filter(({ name }) => only.length === 0 || only.includes(name));
  const attacker = await startAttacker();
  const trials = new Trials(settings, attacker);
  const judged: Judged[] = [];
  try {
    for (const [index, tried] of chosen.entries()) {
      const begin = `${index + 1} of ${chosen.length}: ${tried.name}`;
      say(`${begin} (seed ${settings.SEED})`);
      const trial = await trials.run(tried, inputsOf(tried, settings, chosen), (text) =>
        say(`${begin}: ${text}`),
      );
      const problems = problemsOf(trial, settings.FLOOR);
      judged.push({ ...trial, problems });
      say(`${begin}: ${problems.length === 0 ? "holds" : `BROKEN: ${problems.join("; ")}`}`);
    }
  } finally {
    attacker.stop();
    await trials.stop();
  }
  return judged;
}

/** How many of all inputs are for this one, where these are run. */
export function inputsOf({ name }: Tried, { INPUTS }: Settings, run: readonly Tried[]): number {
  const weightOf = (of: string) => FUZZERS.find((fuzzer) => fuzzer.name === of)?.weight ?? 0;
  const sum = run.reduce((total, one) => total + weightOf(one.name), 0);
  return Math.ceil((INPUTS * weightOf(name)) / Math.max(1, sum));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
