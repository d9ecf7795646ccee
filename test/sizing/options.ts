/**
 * Owns what `npm run sizing` can be told: its numbers with their bounds and meanings, and where results go. Anything
 * else is refused with what was wrong, before anything is started.
 */

interface Setting {
  readonly usual: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

const SETTINGS = {
  SOCKETS: { usual: 5_000, min: 10, max: 15_000, doc: "idle workers on one gateway" },
  SECONDS: { usual: 20, min: 1, max: 120, doc: "length of a window; quiet ones are half as long" },
  WORKERS: { usual: 100, min: 2, max: 1_000, doc: "workers that dispatches go to" },
  JOBS: { usual: 1_000, min: 20, max: 20_000, doc: "jobs of each kind whose memory is measured" },
  NAMESPACES: { usual: 1_000, min: 10, max: 5_000, doc: "namespaces, with a worker each" },
} as const satisfies Record<string, Setting>;

export type Settings = Readonly<Record<keyof typeof SETTINGS, number>>;

export interface Request {
  readonly isHelp: boolean;
  readonly settings: Settings;
  /** Print JSON in place of the tables. */
  readonly isJson: boolean;
  /** A file for the JSON. */
  readonly json?: string;
  /** The guide whose marked parts are written anew. */
  readonly guide?: string;
}

export const GUIDE = "docs/SIZING.md";

export class OptionError extends Error {
  override readonly name = "OptionError";
}

export function readOptions(args: readonly string[]): Request {
  const usual = Object.fromEntries(Object.entries(SETTINGS).map(([name, { usual }]) => [name, usual]));
  const given: Partial<Record<keyof Settings, number>> = {};
  const files: { json?: string; guide?: string } = {};
  let [isHelp, isJson] = [false, false];
  for (const argument of args) {
    const [name = "", value] = argument.split(/=(.*)/s);
    if (argument === "--help") isHelp = true;
    else if (argument === "--json") isJson = true;
    else if (name === "JSON" && value) files.json = value;
    else if (name === "WRITE" && value) files.guide = value === "1" ? GUIDE : value;
    else if (isSetting(name) && value !== undefined) given[name] = numberOf(name, value);
    else throw new OptionError(`${argument} is nothing that can be said here; --help tells what can`);
  }
  return { isHelp, isJson, settings: { ...(usual as Settings), ...given }, ...files };
}

function isSetting(name: string): name is keyof Settings {
  return Object.hasOwn(SETTINGS, name);
}

function numberOf(name: keyof Settings, text: string): number {
  const { min, max } = SETTINGS[name];
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new OptionError(
      `${name}: must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

export function helpText(): string {
  const line = (name: string, doc: string) => `  ${name.padEnd(10)}  ${doc}`;
  return [
    "npm run sizing [-- NAME=value …]",
    "",
    "Starts a Redis, gateways, a dispatcher and an api as processes of their own on this machine, has simulated workers and",
    "callers use them, and measures what each of them needs: CPU time and memory as the kernel and Redis count them. Prints",
    "tables, and what deployments of some sizes need by these figures. Takes about four minutes; leave the machine alone",
    "meanwhile. It never fails for being slow.",
    "",
    ...Object.entries(SETTINGS).map(([name, { usual, doc }]) => line(name, `${doc} (${usual})`)),
    line("JSON", "a file for the figures"),
    line("WRITE", `1: writes the marked parts of ${GUIDE} anew; or a file that has such marks`),
    line("--json", "prints JSON in place of the tables"),
    line("--help", "this"),
    "",
    "Needs Linux, the packages installed (npm install) and redis-server; builds what is not built. Ends with 2 when it was",
    "not understood, or cannot open as many files as it needs.",
    "",
  ].join("\n");
}
