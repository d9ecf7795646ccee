/** Owns the process that attacks, from the side of who measures: starts it, gives it a task, and ends it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Findings } from "./attack.js";
import type { Task, Told } from "./attacker.js";

export interface AttackerProcess {
  /** One at a time. Rejects with what went wrong in it. */
  perform(task: Task, onProgress?: (text: string) => void): Promise<Findings>;
  stop(): void;
}

export async function startAttacker(): Promise<AttackerProcess> {
  const child = fork(fileURLToPath(new URL("attacker.mjs", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const next = (onProgress?: (text: string) => void) =>
    new Promise<Told>((resolve, reject) => {
      const gone = (code: number | null) =>
        reject(new Error(`the attacker ended with ${code ?? "a signal"}`));
      const hear = (told: Told) => {
        if (told.kind === "progress") return onProgress?.(told.text);
        child.off("exit", gone);
        child.off("message", hear);
        resolve(told);
      };
      child.on("message", hear);
      child.once("exit", gone);
    });
  await next();
  return {
    async perform(task, onProgress) {
      const answer = next(onProgress);
      child.send(task);
      const told = await answer;
      if (told.kind === "done") return told.findings;
      throw new Error(told.kind === "failed" ? told.problem : `the attacker said ${told.kind}`);
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
