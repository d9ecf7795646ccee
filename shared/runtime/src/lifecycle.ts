/**
 * Owns how a process ends: the steps in the order in which they are written down, each with the reason for its place,
 * under one deadline. A step that fails is logged and does not keep the next ones from running.
 */
import { invariant } from "@muster/domain/assert";
import type { Log } from "./log.js";

export interface LifecycleDeps {
  log: Log;
  /** For all steps together; what has not ended by then is left to die with the process. */
  deadlineMs: number;
  /** Ends the process; process.exit when absent. */
  exit?: (code: number) => void;
}

export interface Lifecycle {
  /** Adds the next step: what was registered first ends first. `whyHere` is logged beside it. */
  onStop(step: string, whyHere: string, run: () => void | Promise<void>): void;
  readonly isStopping: boolean;
  /** Runs the steps once, however often it is called; resolves to the exit code: 0, or 1 when a step failed or hung. */
  stop(reason: string): Promise<number>;
  /** From now on SIGTERM and SIGINT stop and end the process; a second one ends it at once. Returns the undoing. */
  installSignals(): () => void;
}

interface Step {
  name: string;
  whyHere: string;
  run: () => void | Promise<void>;
}

export function createLifecycle({ log, deadlineMs, exit = process.exit }: LifecycleDeps): Lifecycle {
  const steps: Step[] = [];
  let stopping: Promise<number> | undefined;

  async function runSteps(reason: string): Promise<number> {
    const startedAt = performance.now();
    log.info({ reason, steps: steps.length }, "stopping");
    let code = 0;
    for (const step of steps) {
      const leftMs = deadlineMs - (performance.now() - startedAt);
      const outcome = await runStep(step, leftMs, log);
      if (outcome !== "done") code = 1;
      if (outcome === "hung") {
        log.error({ step: step.name, deadlineMs }, "stop step did not end before the deadline; giving up");
        break;
      }
    }
    log.info({ code, tookMs: Math.round(performance.now() - startedAt) }, "stopped");
    return code;
  }

  const stop = (reason: string): Promise<number> => {
    stopping ??= runSteps(reason);
    return stopping;
  };

  return {
    get isStopping() {
      return stopping !== undefined;
    },
    onStop(name, whyHere, run) {
      invariant(stopping === undefined, "a stop step was added while stopping");
      steps.push({ name, whyHere, run });
    },
    stop,
    installSignals() {
      const onSignal = (signal: NodeJS.Signals) => {
        if (stopping !== undefined) {
          log.warn({ signal }, "second signal; ending at once");
          exit(1);
          return;
        }
        void stop(signal).then(exit);
      };
      process.on("SIGTERM", onSignal);
      process.on("SIGINT", onSignal);
      return () => {
        process.off("SIGTERM", onSignal);
        process.off("SIGINT", onSignal);
      };
    },
  };
}

async function runStep(step: Step, leftMs: number, log: Log): Promise<"done" | "failed" | "hung"> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<"hung">((resolve) => {
    // Not unref'd: with nothing else to wait for, the process would end here with code 0.
    timer = setTimeout(() => resolve("hung"), Math.max(0, leftMs));
  });
  const outcome = await Promise.race([attempt(step, log), deadline]);
  clearTimeout(timer);
  const tookMs = Math.round(performance.now() - startedAt);
  log.info({ step: step.name, why: step.whyHere, outcome, tookMs }, "stop step");
  return outcome;
}

async function attempt(step: Step, log: Log): Promise<"done" | "failed"> {
  try {
    await step.run();
    return "done";
  } catch (error) {
    log.error({ step: step.name, err: error }, "stop step failed");
    return "failed";
  }
}
