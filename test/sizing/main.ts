/** `npm run sizing`, loaded by run.mjs: reads what it was told, measures one thing after the other, prints and writes. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildServices } from "./build-services.js";
import { type Figures, problemsOf } from "./figures.js";
import { GuideError, partsIn, withParts } from "./guide.js";
import { describeMachine } from "./machine.js";
import { measureDispatches } from "./measure-dispatches.js";
import { measureNamespaces } from "./measure-namespaces.js";
import { measureSockets } from "./measure-sockets.js";
import { helpText, OptionError, type Request, readOptions, type Settings } from "./options.js";
import { openFileLimit } from "./process-readings.js";
import { partsOf, type Sizing } from "./tables.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Of this process, and of a gateway, beside its workers' sockets. */
const OTHER_FILES = 500;

/** Answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const request = readOptions(args);
    if (request.isHelp) process.stdout.write(helpText());
    else await run(request);
    return 0;
  } catch (error) {
    if (!(error instanceof OptionError || error instanceof GuideError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function run({ settings, isJson, json, guide }: Request): Promise<void> {
  refuseWhatCannotBe(settings);
  // Before anything is measured: its marks may be wrong.
  if (guide !== undefined) partsIn(read(guide));
  buildServices(root);
  const sizing = await measure(settings);
  const text = `${JSON.stringify(sizing, undefined, 2)}\n`;
  const parts = partsOf(sizing);
  process.stdout.write(isJson ? text : Object.values(parts).join("\n"));
  if (json !== undefined) writeFileSync(resolve(root, json), text);
  if (guide !== undefined) writeFileSync(resolve(root, guide), withParts(read(guide), parts));
}

async function measure(settings: Settings): Promise<Sizing> {
  const machine = await describeMachine();
  say(`idle workers: ${settings.SOCKETS}`);
  const sockets = await measureSockets(settings);
  say(`dispatches to ${settings.WORKERS} workers`);
  const dispatches = await measureDispatches(settings);
  say(`namespaces: ${settings.NAMESPACES}`);
  const namespaces = await measureNamespaces(settings);
  const figures: Figures = { ...sockets, ...dispatches, ...namespaces };
  for (const problem of problemsOf(figures)) say(`not to be trusted: ${problem}`);
  return { machine, settings, figures };
}

function refuseWhatCannotBe({ SOCKETS, WORKERS, NAMESPACES }: Settings): void {
  if (process.platform !== "linux")
    throw new OptionError("npm run sizing reads /proc: it can be run on Linux alone");
  const files = openFileLimit();
  for (const [name, sockets] of Object.entries({ SOCKETS, WORKERS, NAMESPACES })) {
    const needed = sockets + OTHER_FILES;
    if (files < needed)
      throw new OptionError(
        `${name}=${sockets}: needs ${needed} open files in a process, and here it may have ${files}: ` +
          `raise that with ulimit -Hn ${needed}, or give a smaller ${name}`,
      );
  }
}

function read(guide: string): string {
  try {
    return readFileSync(resolve(root, guide), "utf8");
  } catch (error) {
    throw new OptionError(`WRITE=${guide}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
