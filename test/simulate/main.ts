/** `npm run simulate`, loaded by run.mjs: reads what it was told, runs it, prints the table, writes the chart. */
import { readFileSync, writeFileSync } from "node:fs";
import { createLedger } from "@muster/ledger/ledger";
import { startRedis } from "../kit/redis-server.js";
import { drawComparison } from "./chart.js";
import { measureClaims } from "./claims.js";
import { claimsTable } from "./claims-table.js";
import { compare, traceOf } from "./compare.js";
import { helpText, OptionError, type Request, readOptions } from "./options.js";
import { STRATEGIES } from "./strategies.js";
import { comparisonTable } from "./table.js";
import { readTrace, type TracedJob, TraceError } from "./trace.js";

const MAX_TRACE_BYTES = 64 * 1_024 * 1_024;
const TELL_EVERY_MS = 2_000;

/** Answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const request = readOptions(args);
    if (request.command === "help") process.stdout.write(helpText(STRATEGIES.map(({ name }) => name)));
    else if (request.command === "claims") process.stdout.write(await claims());
    else await comparison(request);
    return 0;
  } catch (error) {
    if (!(error instanceof OptionError || error instanceof TraceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function comparison({ scenario, settings, trace: file, chart, only }: Request): Promise<void> {
  const strategies = STRATEGIES.filter(({ name }) => name.toLowerCase().includes(only));
  if (strategies.length === 0) throw new OptionError(`ONLY=${only}: no strategy has this in its name`);
  const trace = file === undefined ? traceOf(settings) : recorded(file, settings.COST);
  const redis = await startRedis();
  try {
    const ledger = createLedger(redis.client());
    const outcomes = await compare({ settings, trace, strategies, ledger, progress: teller() });
    const title = `${file ?? `${scenario}, seed ${settings.SEED}`}: ${trace.length} jobs on ${settings.WORKERS} workers`;
    process.stdout.write(`${title}\n\n${comparisonTable(outcomes)}`);
    if (chart !== undefined) writeFileSync(chart, drawComparison(title, outcomes));
  } finally {
    await redis.stop();
  }
}

async function claims(): Promise<string> {
  const redis = await startRedis();
  try {
    return claimsTable(await measureClaims({ redis: redis.client(), progress: teller() }));
  } finally {
    await redis.stop();
  }
}

function recorded(file: string, cost: number): TracedJob[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new OptionError(`TRACE=${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes.length > MAX_TRACE_BYTES)
    throw new OptionError(`TRACE=${file}: larger than ${MAX_TRACE_BYTES} bytes`);
  return readTrace(bytes.toString("utf8"), cost);
}

/** Says on stderr how far it is, once it takes a while. */
function teller(): (part: number) => void {
  let toldAtMs = performance.now();
  return (part) => {
    if (performance.now() - toldAtMs < TELL_EVERY_MS) return;
    toldAtMs = performance.now();
    process.stderr.write(`${Math.floor(100 * part)} %\n`);
  };
}
