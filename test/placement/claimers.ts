/** Owns the processes that claim at the same time (claimer.mjs), and whose turn it is. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { AdmitReply, ServeReply } from "@muster/ledger/generated/scripts";

export type ClaimRequest = { job: string } | { pool: string };
export type ClaimReply = AdmitReply | ServeReply;

interface Said {
  request: ClaimRequest;
  replies?: ClaimReply[];
  error?: string;
}

export class Claimers {
  readonly #processes: ChildProcess[];
  #asked = 0;
  #open = 0;

  private constructor(processes: ChildProcess[]) {
    this.#processes = processes;
  }

  /** `hear` is called with each reply, in the order in which this process hears of them. */
  static async start(
    count: number,
    redisUrl: string,
    namespace: string,
    hear: (request: ClaimRequest, reply: ClaimReply) => void,
    fail: (error: string) => void,
  ): Promise<Claimers> {
    const path = new URL("./claimer.mjs", import.meta.url).pathname;
    const processes = Array.from({ length: count }, () =>
      fork(path, [redisUrl, namespace], { execArgv: [] }),
    );
    await Promise.all(processes.map((process) => once(process, "message")));
    const claimers = new Claimers(processes);
    for (const process of processes) {
      process.on("message", ({ request, replies, error }: Said) => {
        claimers.#open--;
        if (error !== undefined) fail(error);
        for (const reply of replies ?? []) hear(request, reply);
      });
    }
    return claimers;
  }

  ask(request: ClaimRequest): void {
    this.#open++;
    this.#processes[this.#asked++ % this.#processes.length]?.send(request);
  }

  isIdle(): boolean {
    return this.#open === 0;
  }

  stop(): void {
    for (const process of this.#processes) process.kill("SIGKILL");
  }
}
