/**
 * Owns one process that is there to die: with a way of its own to Redis, so that its commands can be told from all
 * others, counted, and stopped behind any one of them. Knows nothing of what the commands are for.
 */
import { type FlakyProxy, startFlakyProxy } from "../kit/flaky-proxy.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";
import { isOfOperation, nameOf } from "./commands.js";

/**
 * killed     SIGKILL in the step that forwarded the command: Redis has it, and nobody has its reply.
 * reply lost the same, but the process lives: it sees its connection end, and has to go on.
 */
export type Blow = "killed" | "reply lost";

export interface Strike {
  /** From the very step in which it struck. */
  readonly hasStruck: boolean;
  /** By performance.now(); 0 before. */
  readonly atMs: number;
  /** Resolves when it has struck, and a process that was killed is gone. */
  readonly done: Promise<void>;
  /** The operation's commands so far, the last is the one that it struck at. */
  readonly commands: readonly string[];
  cancel(): void;
}

export class Victim {
  readonly kind: ServiceName;
  readonly #env: Record<string, string>;
  readonly #redisPort: number;
  #proxy: FlakyProxy | undefined;
  #process: ServiceProcess | undefined;
  /** The id of its node in Redis, for whoever needs it to be the owner of something. */
  node = "";

  constructor(kind: ServiceName, env: Record<string, string>, redisPort: number) {
    this.kind = kind;
    this.#env = env;
    this.#redisPort = redisPort;
  }

  get isAlive(): boolean {
    return this.#process !== undefined;
  }

  /** Of the process that runs, or of the last one that did. */
  get url(): string {
    return this.#url;
  }
  #url = "";

  output(): string {
    return this.#output();
  }
  #output = () => "";

  async start(): Promise<void> {
    await this.#proxy?.stop();
    const proxy = await startFlakyProxy({ target: { host: "127.0.0.1", port: this.#redisPort } });
    this.#proxy = proxy;
    const process = await startService(this.kind, { ...this.#env, MUSTER_REDIS_URL: proxy.url });
    this.#process = process;
    this.#url = process.url;
    this.#output = () => process.output();
  }

  /** Strikes at the `n`-th command of an operation from now. */
  strike(blow: Blow, n: number): Strike {
    const proxy = this.#proxy;
    const process = this.#process;
    if (proxy === undefined || process === undefined) throw new Error(`the ${this.kind} does not run`);
    const commands: string[] = [];
    let atMs = 0;
    const trigger = (blow === "killed" ? this.#kill : this.#loseReply)(proxy, process, n, (command) => {
      if (!isOfOperation(command)) return false;
      commands.push(nameOf(command));
      if (commands.length === n) atMs = performance.now();
      return true;
    });
    return {
      get hasStruck() {
        return atMs > 0;
      },
      get atMs() {
        return atMs;
      },
      done: trigger.fired,
      commands,
      cancel: () => trigger.cancel(),
    };
  }

  async end(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
    await this.#proxy?.stop();
  }

  readonly #kill = (
    proxy: FlakyProxy,
    process: ServiceProcess,
    n: number,
    match: Parameters<FlakyProxy["afterCommands"]>[2],
  ) =>
    proxy.afterCommands(
      n,
      () => {
        proxy.drop();
        this.#process = undefined;
        return process.kill();
      },
      match,
    );

  readonly #loseReply = (
    proxy: FlakyProxy,
    _process: ServiceProcess,
    n: number,
    match: Parameters<FlakyProxy["afterCommands"]>[2],
  ) => proxy.replyLost(n, match);
}
