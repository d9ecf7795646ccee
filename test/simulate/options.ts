/**
 * Owns what `npm run simulate` can be told: its settings with their bounds and meanings, the scenarios that fill them in,
 * and the help that is written from both. Anything else is refused with what was wrong, before anything runs.
 */

interface Setting {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
  readonly usual: number;
  readonly doc: string;
}

const whole = (usual: number, min: number, max: number, doc: string): Setting => ({
  ...{ usual, min, max, doc, isWhole: true },
});
const part = (usual: number, min: number, max: number, doc: string): Setting => ({
  ...{ usual, min, max, doc, isWhole: false },
});

const SETTINGS = {
  SEED: whole(1, 0, 2 ** 32 - 1, "everything by chance comes from it; the same seed gives the same figures"),
  MINUTES: part(20, 0.1, 1_440, "for how long jobs arrive; not for a recorded trace"),
  RATE: part(3, 0, 100, "jobs a second of a steady Poisson stream; 0 for none"),
  BURST: whole(100, 0, 10_000, "jobs of one burst, all in the same millisecond; 0 for none"),
  BURST_EVERY_S: part(300, 1, 86_400, "from one burst to the next; the first comes after half of it"),
  LENGTH_S: part(120, 0.001, 86_400, "mean length of a job"),
  LENGTH_SPREAD: part(0.6, 0, 3, "deviation of its logarithm (log-normal); 0 for all alike"),
  COST: part(0.1, 0, 1, "mean load that a job costs a worker of speed 1"),
  COST_SPREAD: part(0.3, 0, 3, "deviation of its logarithm; 0 for all alike"),
  WORKERS: whole(50, 1, 10_000, "how many workers"),
  FAST: part(0.5, 0, 1, "the part of them that is fast"),
  SPEED: part(4, 1, 100, "how many times as fast those are"),
  BASE_LOAD: part(0.05, 0, 1, "load of a worker without any job"),
  NOISE: part(0.02, 0, 1, "deviation of the load that a worker measures"),
  REPORT_MS: whole(2_500, 100, 60_000, "from one load report of a worker to its next"),
  THRESHOLD: part(0.7, 0.01, 1, "load from which on a worker says FULL"),
  REFUSES: whole(
    1,
    0,
    1,
    "1: it then refuses offers as well, as the Python SDK does; 0: it takes them, as the Node SDK does",
  ),
  TARGET: part(
    0.7,
    0.01,
    1,
    "load above which a worker counts as overloaded; livekit-server's target_load, Muster's max load",
  ),
  JOB_LOAD: part(0.05, 0, 1, "load that Muster takes a job to cost where it has not learnt better"),
  CAP: whole(0, 0, 100_000, "Muster's jobs at a time for each worker; 0 for no bound"),
  ANSWER_MS: whole(10, 0, 2_500, "how long a worker thinks about an offer"),
  LAUNCH_MS: whole(200, 0, 10_000, "from the assignment to the running job"),
} as const;

export type Settings = Readonly<Record<keyof typeof SETTINGS, number>>;

const SCENARIOS: Readonly<Record<string, { doc: string; settings: Partial<Settings> }>> = {
  mixed: {
    doc: "a steady stream and bursts, half of the workers four times as fast (the default)",
    settings: {},
  },
  burst: {
    doc: "1,000 jobs at once onto 100 equal workers, between two load reports",
    settings: { MINUTES: 1, RATE: 0, BURST: 1_000, BURST_EVERY_S: 60, WORKERS: 100, FAST: 0, COST: 0.03 },
  },
};

export interface Request {
  readonly command: "compare" | "claims" | "help";
  readonly scenario: string;
  readonly settings: Settings;
  /** File of a recorded trace. */
  readonly trace?: string;
  /** Where the chart goes. */
  readonly chart?: string;
  /** Only strategies whose name has this in it. */
  readonly only: string;
}

export class OptionError extends Error {
  override readonly name = "OptionError";
}

export function readOptions(args: readonly string[]): Request {
  let [command, scenario, only] = ["compare" as Request["command"], "mixed", ""];
  const files: { trace?: string; chart?: string } = {};
  const given: Partial<Record<keyof Settings, number>> = {};
  for (const argument of args) {
    const [name = "", value] = argument.split(/=(.*)/s);
    if (argument === "--help") command = "help";
    else if (argument === "claims") command = "claims";
    else if (Object.hasOwn(SCENARIOS, argument)) scenario = argument;
    else if (name === "ONLY" && value !== undefined) only = value.toLowerCase();
    else if ((name === "TRACE" || name === "CHART") && value)
      files[name === "TRACE" ? "trace" : "chart"] = value;
    else if (isSetting(name) && value !== undefined) given[name] = numberOf(name, value);
    else throw new OptionError(`${argument} is nothing that can be said here; --help tells what can`);
  }
  const usual = Object.fromEntries(Object.entries(SETTINGS).map(([name, setting]) => [name, setting.usual]));
  const settings = { ...(usual as Settings), ...SCENARIOS[scenario]?.settings, ...given };
  return { command, scenario, settings, only, ...files };
}

function isSetting(name: string): name is keyof Settings {
  return Object.hasOwn(SETTINGS, name);
}

function numberOf(name: keyof Settings, text: string): number {
  const { min, max, isWhole } = SETTINGS[name];
  const value = Number(text);
  const fits = text.trim() !== "" && value >= min && value <= max && (!isWhole || Number.isInteger(value));
  if (!fits)
    throw new OptionError(
      `${name}: must be a ${isWhole ? "whole " : ""}number from ${min} to ${max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

export function helpText(strategies: readonly string[]): string {
  const width = Math.max(...Object.keys(SETTINGS).map((name) => name.length));
  const line = (name: string, doc: string) => `  ${name.padEnd(width)}  ${doc}`;
  return [
    "npm run simulate [-- WORD … NAME=value …]",
    "",
    "Places the same jobs on the same simulated workers by each strategy, in virtual time, and compares. Muster's strategies",
    "are its own scripts on a redis-server of their own; livekit-server's algorithm is a model of its source.",
    "",
    `Strategies: ${strategies.join(", ")}`,
    "",
    "Words",
    ...Object.entries(SCENARIOS).map(([name, { doc }]) => line(name, doc)),
    line("claims", "measures instead what a claim costs Redis with 10,000 workers in a pool, against 100"),
    line("--help", "this"),
    "",
    "Files and choice",
    line(
      "TRACE",
      'a recorded trace, one job a line: {"at_ms": 0, "duration_ms": 60000, "cost": 0.1, "priority": 0}',
    ),
    line("CHART", "writes an SVG there"),
    line("ONLY", "only strategies whose name has this in it"),
    "",
    "Numbers, and what they are in `mixed`",
    ...Object.entries(SETTINGS).map(([name, { usual, doc }]) => line(name, `${doc} (${usual})`)),
    "",
    "Needs the packages installed (npm install) and redis-server; no build. Ends with 2 when it was not understood.",
    "",
  ].join("\n");
}
