/**
 * Owns how a service gets its configuration: one zod schema, one YAML file (`--config`), variables above it.
 * A key `workerLivekitUrl` is the variable MUSTER_WORKER_LIVEKIT_URL. All problems are found at once, each names its
 * source, and the value of a field that is marked secret is never repeated.
 */
import type { z } from "zod";
import { describeField, isSecret, variableName } from "./config-doc.js";
import {
  HelpRequested,
  isLinkUrl,
  type LoadConfigOptions,
  readArguments,
  readFile,
  readVariables,
  type Setting,
} from "./config-sources.js";

/** The configuration is not usable; `problems` are all of them, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}`);
    this.problems = problems;
  }
}

/** Throws ConfigError with every problem, or HelpRequested. Variables win over the file; an empty one counts as unset. */
export function loadConfig<S extends z.ZodObject>(options: LoadConfigOptions<S>): z.output<S> {
  const { schema, envPrefix } = options;
  const problems: string[] = [];
  const { file, flags } = readArguments(options, problems);
  const settings = new Map<string, Setting>([
    ...(file === undefined ? [] : readFile(file, schema, problems)),
    ...readVariables(options, problems),
    ...flags.map((key): [string, Setting] => [key, { value: true, source: `--${key}` }]),
  ]);
  const given = Object.fromEntries([...settings].map(([key, { value }]) => [key, value]));
  const result = schema.safeParse(given);
  if (!result.success) {
    for (const issue of result.error.issues) problems.push(problemOf(issue, settings, schema, envPrefix));
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

/** Runs `load`; prints the help and exits 0, or prints every problem and exits 2. */
export function exitOnBadConfig<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (error instanceof HelpRequested) {
      process.stdout.write(`${error.message}\n`);
      process.exit(0);
    }
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message} (--help lists the settings):\n`);
      for (const problem of error.problems) process.stderr.write(`  ${problem}\n`);
      process.exit(2);
    }
    throw error;
  }
}

function problemOf(
  issue: z.core.$ZodIssue,
  settings: Map<string, Setting>,
  schema: z.ZodObject,
  envPrefix: string,
): string {
  const [key, ...inner] = issue.path.map(String);
  if (key === undefined) return issue.message;
  const setting = settings.get(key);
  if (setting === undefined) {
    const source = `${variableName(key, envPrefix)} (or ${key} in the --config file)`;
    return `${source}: ${issue.code === "custom" ? issue.message : `is required: ${describeField(schema, key)}`}`;
  }
  const where = [setting.source, ...inner].join(".");
  if (isLinkUrl(setting.value)) {
    return `${where}: ${issue.message}; Kubernetes set it for a Service of that name: set enableServiceLinks: false`;
  }
  return `${where}: ${issue.message}${isSecret(schema, key) ? "" : `, got ${shown(setting.value)}`}`;
}

const LONGEST_SHOWN = 80;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
