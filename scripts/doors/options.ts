/**
 * Owns what `npm run doors` can be told: its numbers with their bounds and meanings, and which of the attacks and fuzzers
 * are run. Anything else is refused with what was wrong, before anything is started.
 */

interface Setting {
  readonly usual: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

const SETTINGS = {
  SECONDS: {
    usual: 20,
    min: 2,
    max: 600,
    doc: "how long an attack may last, and as much of quiet before it",
  },
  INPUTS: { usual: 1_000_000, min: 100, max: 100_000_000, doc: "inputs of all fuzzers together" },
  SEED: { usual: 1, min: 0, max: 4_294_967_295, doc: "of all chance; a run says which one it has" },
  PERCENT: { usual: 100, min: 1, max: 100, doc: "size of each attack: its sockets, bodies, orders" },
  RATE: { usual: 10, min: 1, max: 200, doc: "honest orders a second" },
  FLOOR: { usual: 500, min: 1, max: 60_000, doc: "ms below which no p99 is called slow" },
} as const satisfies Record<string, Setting>;

export type Settings = Readonly<Record<keyof typeof SETTINGS, number>>;

export interface Request {
  readonly isHelp: boolean;
  readonly settings: Settings;
  /** Names of what is run; empty: all. */
  readonly only: readonly string[];
  /** A file for the JSON. */
  readonly json?: string;
}

export class OptionError extends Error {
  override readonly name = "OptionError";
}

/** `known` are the names that ONLY may give. */
export function readOptions(args: readonly string[], known: readonly string[]): Request {
  const given: Partial<Record<keyof Settings, number>> = {};
  let only: string[] = [];
  let json: string | undefined;
  let isHelp = false;
  for (const argument of args) {
    const [name = "", value] = argument.split(/=(.*)/s);
    if (argument === "--help") isHelp = true;
    else if (name === "JSON" && value) json = value;
    else if (name === "ONLY" && value) only = namesIn(value, known);
    else if (isSetting(name) && value !== undefined) given[name] = numberOf(name, value);
    else throw new OptionError(`${argument} is nothing that can be said here; --help tells what can`);
  }
  const settings = { ...usualSettings(), ...given };
  return { isHelp, settings, only, ...(json !== undefined && { json }) };
}

export function usualSettings(): Settings {
  const usual = Object.entries(SETTINGS).map(([name, { usual }]) => [name, usual]);
  return Object.fromEntries(usual) as Settings;
}

function namesIn(text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new OptionError(`ONLY: there is no ${JSON.stringify(unknown)}; there are ${known.join(", ")}`);
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

/** `described` are the attacks and fuzzers, each with what it does. */
export function helpText(described: readonly (readonly [name: string, about: string])[]): string {
  const line = (name: string, doc: string) => `  ${name.padEnd(18)}  ${doc}`;
  return [
    "npm run doors [-- NAME=value …]",
    "",
    "Starts a Redis, a gateway, a dispatcher and an api as processes of their own, each of which is killed when it has more",
    "than 512 MiB. Honest workers and callers use them all the while; their orders are measured, first in quiet, then while",
    "one attack after the other is made over real sockets, then while each door is sent broken input. Prints a table.",
    "",
    ...Object.entries(SETTINGS).map(([name, { usual, doc }]) => line(name, `${doc} (${usual})`)),
    line("ONLY", "names, joined by commas: of the attacks and fuzzers below"),
    line("JSON", "a file for all figures"),
    line("--help", "this"),
    "",
    ...described.map(([name, about]) => line(name, about)),
    "",
    "Needs Linux, the packages installed (npm install) and redis-server; builds what is not built. Ends with 1 when a bound is",
    "broken: an honest order lost or refused, their p99 above five times that of before, a process that fell, a key in Redis",
    "that nobody honest made. Ends with 2 when it was not understood.",
    "",
  ].join("\n");
}
