/**
 * `muster doctor`: what is asked for on the command line, and what becomes of it. Reads the settings as the services do;
 * exits with 0 when nothing failed, 1 when something did, 2 when it was asked for something that cannot be done.
 */

import { durationMs } from "@muster/runtime/config-fields";
import { describeRedisUrl } from "@muster/runtime/redis/url";
import { productVersion } from "@muster/runtime/version";
import { Command, InvalidArgumentError, Option } from "commander";
import { SERVICE_SCHEMAS, type ServiceName, type Settings } from "../config.js";
import { ALL_CHECKS } from "./all-checks.js";
import { concealer } from "./conceal.js";
import { examine } from "./examine.js";
import { readSurroundings } from "./read-surroundings.js";
import { exitCodeOf, jsonOf, summaryOf, textOf } from "./report.js";
import { selectChecks } from "./select-checks.js";

const DEFAULT_SERVICES: ServiceName[] = ["gateway", "dispatcher", "api"];

export interface CommandDeps {
  env: Readonly<Record<string, string | undefined>>;
  out: (text: string) => void;
  isTty: boolean;
  exit: (code: number) => void;
  /** Fires when the user breaks it off. */
  signal: AbortSignal;
}

interface Options {
  config?: string;
  dev?: true;
  service: ServiceName[];
  apiUrl?: string;
  gatewayUrl?: string;
  dispatcherUrl?: string;
  only?: string[];
  skip?: string[];
  timeout: number;
  strict?: true;
  json?: true;
  list?: true;
}

export function doctorCommand(deps: CommandDeps): Command {
  return new Command("doctor")
    .description("Looks for what is wrong with a Muster, or will be, and says how to mend it.")
    .option(
      "--config <file>",
      "a YAML file with the settings of the services; MUSTER_* variables win over it",
    )
    .option("--dev", "as the services' --dev: the key devkey with the secret `secret` is in force")
    .addOption(
      new Option("--service <names>", "services that run with these settings, joined by commas")
        .argParser(servicesIn)
        .default(DEFAULT_SERVICES, DEFAULT_SERVICES.join(",")),
    )
    .option("--api-url <url>", "the api, as this machine reaches it (MUSTER_API_URL)")
    .option(
      "--gateway-url <url>",
      "a gateway, or what stands before it, as workers dial it (MUSTER_GATEWAY_URL)",
    )
    .option("--dispatcher-url <url>", "a dispatcher's port of /readyz and /metrics (MUSTER_DISPATCHER_URL)")
    .option(
      "--only <checks>",
      "run these checks alone, joined by commas; `redis` means all that begin so",
      listed,
    )
    .option("--skip <checks>", "leave these out", listed)
    .addOption(
      new Option("--timeout <duration>", "the longest that a check may take")
        .argParser(timeoutIn)
        .default(15_000, "15s"),
    )
    .option("--strict", "exit with 1 for warnings too")
    .option("--json", "one JSON document in place of the list")
    .option("--list", "say what each check looks at, and run none")
    .addHelpText(
      "after",
      "\nExit code: 0 nothing failed, 1 a check failed, 2 the command or the settings are wrong.",
    )
    .action((options: Options) => runDoctor(options, deps));
}

async function runDoctor(options: Options, deps: CommandDeps): Promise<void> {
  const { out, isTty, exit, signal } = deps;
  const checks = selectChecks(ALL_CHECKS, { only: options.only ?? [], skip: options.skip ?? [] });
  if (options.list === true) {
    for (const { name, looksAt } of checks) out(`${name.padEnd(20)}${looksAt}\n`);
    return exit(0);
  }
  const surroundings = readSurroundings(options, deps.env);
  const conceal = concealer(surroundings);
  const isJson = options.json === true;
  const isColored = isTty && deps.env.NO_COLOR === undefined;
  if (!isJson) out(`${headOf(surroundings.settings)}\n\n`);
  try {
    const all = await examine(checks, {
      ...{ surroundings, timeoutMs: options.timeout, signal },
      onExamined: (examined) => {
        if (!isJson) out(conceal(`${textOf(examined, isColored)}\n`));
      },
    });
    const exitCode = exitCodeOf(all, options.strict === true);
    if (isJson) out(conceal(`${jsonOf(all, { version: productVersion(), exitCode })}\n`));
    else out(`\n${summaryOf(all)}\n`);
    exit(exitCode);
  } finally {
    await surroundings.redis?.close();
  }
}

function headOf({ redisUrl, livekitUrl }: Settings): string {
  const redis = redisUrl === undefined ? "no Redis" : describeRedisUrl(redisUrl);
  return `Muster ${productVersion()}: ${redis}, ${livekitUrl ?? "no LiveKit"}`;
}

function listed(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(",").map((name) => name.trim())];
}

function servicesIn(text: string): ServiceName[] {
  const names = text.split(",").map((name) => name.trim());
  const known = Object.keys(SERVICE_SCHEMAS);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(", ")}.`);
  return names as ServiceName[];
}

function timeoutIn(text: string): number {
  const parsed = durationMs({ minMs: 100, maxMs: 600_000 }).safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message ?? "must be a duration"}.`);
}
