/**
 * The process that attacks and sends broken input, so that its own work does not delay the honest ones who are measured.
 * It is told one task after the other by its parent, and answers each with what came of it; it ends with its parent.
 */
import { setMaxListeners } from "node:events";
import { Random } from "../../test/cluster/siege/random.js";
import type { Findings, Scene } from "./attack.js";
import { ATTACKS } from "./attacks/all.js";
import { FUZZERS } from "./fuzz/all.js";
import { fuzz } from "./fuzz/fuzz.js";
import { Tokens } from "./tokens.js";

export interface Task {
  readonly name: string;
  readonly gateway: string;
  readonly api: string;
  readonly seed: number;
  readonly seconds: number;
  readonly percent: number;
  /** Of a fuzzer. */
  readonly inputs: number;
}

export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly text: string }
  | { readonly kind: "done"; readonly findings: Findings }
  | { readonly kind: "failed"; readonly problem: string };

/** Runs until the parent lets go of it. */
export async function main(): Promise<number> {
  const gone = new Promise<void>((resolve) => process.once("disconnect", resolve));
  process.on("message", (task: Task) => {
    void perform(task).then(
      (findings) => tell({ kind: "done", findings }),
      (error: unknown) =>
        tell({
          kind: "failed",
          problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
    );
  });
  tell({ kind: "ready" });
  await gone;
  // What it holds open would keep it alive.
  process.exit(0);
}

async function perform(task: Task): Promise<Findings> {
  const { name, seconds, percent, inputs } = task;
  const over = new AbortController();
  // As many as an attack has sockets.
  setMaxListeners(0, over.signal);
  const timer = setTimeout(() => over.abort(), 1_000 * seconds);
  const scene: Scene = {
    ...{ gateway: task.gateway, api: task.api, seconds, signal: over.signal },
    tokens: new Tokens(),
    random: new Random(task.seed),
    sized: (full, least) => Math.min(full, Math.max(least, Math.round((full * percent) / 100))),
  };
  try {
    const attack = ATTACKS.find((one) => one.name === name);
    if (attack !== undefined) return await attack.run(scene);
    const fuzzer = FUZZERS.find((one) => one.name === name);
    if (fuzzer === undefined) throw new Error(`nothing is called ${name}`);
    return await fuzz(fuzzer, scene, inputs, (text) => tell({ kind: "progress", text }));
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

function tell(told: Told): void {
  if (process.connected) process.send?.(told);
}
