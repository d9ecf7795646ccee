/**
 * Owns where settings are read from: the arguments, the YAML file, the variables. Reads and names them; whether their
 * values are any good is the schema's business (config.ts). An argument or a key that is not known is a problem.
 * Variables are often shared by several services (a ConfigMap): those of another service are none of our business, what
 * looks like a slip of the pen for one of ours is a problem, and anything else is worth a warning.
 */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { describeField, documentedTable, variableName } from "./config-doc.js";
import { closest, suggestion } from "./did-you-mean.js";
import { KNOWN_VARIABLES } from "./known-variables.js";

export interface LoadConfigOptions<S extends z.ZodObject> {
  schema: S;
  env: Readonly<Record<string, string | undefined>>;
  /** The arguments behind the script's name: process.argv.slice(2). */
  argv: readonly string[];
  /** "MUSTER_" */
  envPrefix: string;
  /** Keys of `schema` that may also be given as arguments without a value: "dev" allows --dev. */
  flags?: readonly (keyof z.output<S> & string)[];
  /** Says what is no problem, but was hardly meant; stderr when absent. */
  warn?: (line: string) => void;
}

/** Thrown in place of a configuration when --help was asked for. */
export class HelpRequested extends Error {
  override readonly name = "HelpRequested";
}

export interface Setting {
  value: unknown;
  /** How the user wrote it: `MUSTER_PORT`, `port in muster.yaml`. */
  source: string;
}

export function readArguments(
  { schema, argv, envPrefix, flags = [] }: LoadConfigOptions<z.ZodObject>,
  problems: string[],
): { file: string | undefined; flags: string[] } {
  let file: string | undefined;
  const given: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    const name = argument.replace(/^--/, "");
    if (argument === "--help") throw new HelpRequested(helpText(schema, envPrefix, flags));
    if (argument.startsWith("--config=")) file = argument.slice("--config=".length);
    else if (argument === "--config") file = argv[++index] ?? "";
    else if (argument.startsWith("--") && flags.includes(name)) given.push(name);
    else {
      const known = ["--config", "--help", ...flags.map((flag) => `--${flag}`)];
      problems.push(`${argument}: is not a known argument${suggestion(argument, known)}`);
    }
  }
  if (file === "") problems.push("--config: needs the name of a file");
  return { file: file === "" ? undefined : file, flags: given };
}

export function readFile(file: string, schema: z.ZodObject, problems: string[]): [string, Setting][] {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, "utf8")) ?? {};
  } catch (error) {
    // The parser quotes the line it stumbled over, which may hold a secret; where it is says enough.
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    problems.push(`--config: cannot read ${file}: ${reason.replace(/:$/, "")}`);
    return [];
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`--config: ${file} must hold "key: value" lines`);
    return [];
  }
  const known = Object.keys(schema.shape);
  return Object.entries(content).flatMap(([key, value]): [string, Setting][] => {
    if (known.includes(key)) return value === null ? [] : [[key, { value, source: `${key} in ${file}` }]];
    problems.push(`${key} in ${file}: is not a known key${suggestion(key, known)}`);
    return [];
  });
}

export function readVariables(
  { schema, env, envPrefix, warn = warnOnStderr }: LoadConfigOptions<z.ZodObject>,
  problems: string[],
): [string, Setting][] {
  const keyOf = new Map(Object.keys(schema.shape).map((key) => [variableName(key, envPrefix), key]));
  // Without the prefix, which would make any two names look alike.
  const withoutPrefix = (names: Iterable<string>) => [...names].map((name) => name.slice(envPrefix.length));
  const ours = withoutPrefix(keyOf.keys());
  const others = withoutPrefix(KNOWN_VARIABLES);
  return Object.entries(env).flatMap(([name, value]): [string, Setting][] => {
    if (!name.startsWith(envPrefix) || value === undefined || value === "") return [];
    const key = keyOf.get(name);
    if (key !== undefined) return [[key, { value, source: name }]];
    if (KNOWN_VARIABLES.has(name) || isServiceLink(name, value)) return [];
    const meant = closest(name.slice(envPrefix.length), [...ours, ...others]);
    const hint = meant === undefined ? "" : `; did you mean "${envPrefix}${meant}"?`;
    if (meant !== undefined && ours.includes(meant)) problems.push(`${name}: is not a known variable${hint}`);
    else warn(`warning: ${name} is not a known variable, and is ignored${hint}`);
    return [];
  });
}

function warnOnStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Kubernetes tells each pod of each Service by variables: one named "muster-x" makes MUSTER_X_SERVICE_HOST and more. */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) || isLinkUrl(value)
  );
}

/** What such a variable holds; with a Service named "muster" it is MUSTER_PORT that does. */
export function isLinkUrl(value: unknown): boolean {
  return typeof value === "string" && /^(tcp|udp):\/\//.test(value);
}

function helpText(schema: z.ZodObject, envPrefix: string, flags: readonly string[]): string {
  return [
    `--config <file>   a YAML file with the keys below; variables win over it`,
    ...flags.map((flag) => `--${flag.padEnd(16)}${describeField(schema, flag)}`),
    "",
    documentedTable(schema, envPrefix),
  ].join("\n");
}
