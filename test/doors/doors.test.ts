/**
 * A share of `npm run doors`: each attack at the size at which it shows something, and each fuzzer with its part of twenty
 * thousand inputs, against processes of 512 MiB, with honest traffic beside.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AttackerProcess, startAttacker } from "../../scripts/doors/attacker-process.js";
import { ALL, inputsOf } from "../../scripts/doors/main.js";
import { usualSettings } from "../../scripts/doors/options.js";
import { Trials } from "../../scripts/doors/trial.js";
import { problemsOf } from "../../scripts/doors/verdict.js";

/** Tests say what is true, and not how fast a busy machine is: slow is what a caller would give up. */
const SETTINGS = { ...usualSettings(), SECONDS: 2, INPUTS: 20_000, PERCENT: 5, FLOOR: 5_000 };
const LIMIT_MS = 120_000;
/** Too long for here, or told apart from a busy machine by their times alone: `npm run doors` has them. */
const LONG: readonly string[] = [
  ...["slow-uploads", "held-proxy", "greedy-streams", "lying-worker", "flapping-worker"],
  ...["churning-sockets", "many-rules", "frames-json", "frames-protobuf"],
];
const HELD = ALL.filter(({ name }) => !LONG.includes(name));

let attacker: AttackerProcess;
let trials: Trials;

beforeAll(async () => {
  attacker = await startAttacker();
  trials = new Trials(SETTINGS, attacker);
});
afterAll(async () => {
  attacker?.stop();
  await trials?.stop();
});

test.each(HELD.map((tried) => [tried.name, tried] as const))(
  "%s does no harm",
  async (name, tried) => {
    const trial = await trials.run(tried, inputsOf(tried, SETTINGS, HELD), () => undefined);
    expect(problemsOf(trial, SETTINGS.FLOOR), `${name}, seed ${SETTINGS.SEED}`).toEqual([]);
  },
  LIMIT_MS,
);
