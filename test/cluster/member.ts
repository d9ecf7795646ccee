/**
 * Owns one service of a test cluster under a name that outlives its processes: the process, its own way to Redis, and
 * the faults that can befall the two. Every change of its condition is written down.
 */
import { type ServiceProcess, startService } from "../kit/service-process.js";
import type { Conditions, ServiceKind } from "./conditions.js";
import { type RedisAddress, WayToRedis } from "./way-to-redis.js";

export interface MemberDeps {
  name: string;
  kind: ServiceKind;
  conditions: Conditions;
  env: Record<string, string>;
  redis: RedisAddress;
  checkout?: string | undefined;
}

const KEPT_CHARACTERS = 4_000_000;

export class Member {
  readonly name: string;
  readonly kind: ServiceKind;
  /** The folder whose build its next process runs; undefined: this checkout's. */
  checkout: string | undefined;
  readonly #deps: MemberDeps;
  #way: WayToRedis | undefined;
  #process: ServiceProcess | undefined;
  /** Of processes that are gone. */
  #earlier = "";

  constructor(deps: MemberDeps) {
    this.#deps = deps;
    this.name = deps.name;
    this.kind = deps.kind;
    this.checkout = deps.checkout;
  }

  get url(): string {
    return this.#running.url;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** The last that its processes wrote. */
  get output(): string {
    return `${this.#earlier}${this.#process?.output() ?? ""}`.slice(-KEPT_CHARACTERS);
  }

  async start(): Promise<void> {
    const { kind, env, redis, conditions, name } = this.#deps;
    this.#way ??= await WayToRedis.open(redis);
    this.#process = await startService(kind, { ...env, ...this.#way.env }, this.checkout);
    conditions.set(name, "up");
  }

  /** SIGTERM; resolves with its exit code. */
  async stop(): Promise<number | null> {
    this.#deps.conditions.set(this.name, "draining");
    const code = await this.#running.stop();
    this.#gone();
    return code;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#deps.conditions.set(this.name, "dead");
    const process = this.#running;
    this.#gone();
    await process.kill();
  }

  freeze(): void {
    this.#deps.conditions.set(this.name, "frozen");
    this.#running.freeze();
  }

  thaw(): void {
    this.#running.thaw();
    this.#deps.conditions.set(this.name, "up");
  }

  /** Resets its connections to Redis; it may connect again at once. */
  cut(): void {
    this.#deps.conditions.set(this.name, "parted");
    this.#open.cut();
    this.#deps.conditions.set(this.name, "up");
  }

  /** From now on its bytes to and from Redis go nowhere, and its connections stay open. */
  part(): void {
    this.#deps.conditions.set(this.name, "parted");
    this.#open.drop();
  }

  heal(): void {
    this.#open.pass();
    this.#deps.conditions.set(this.name, "up");
  }

  /** Instead of the reply to the next such command it gets the end of that connection. */
  loseReply(match: Parameters<WayToRedis["loseReply"]>[0]): ReturnType<WayToRedis["loseReply"]> {
    return this.#open.loseReply(match);
  }

  async end(): Promise<void> {
    if (this.#process !== undefined) await this.kill();
    await this.#way?.close();
  }

  #gone(): void {
    this.#earlier = this.output;
    this.#process = undefined;
    this.#deps.conditions.set(this.name, "dead");
  }

  get #running(): ServiceProcess {
    if (this.#process === undefined) throw new Error(`${this.name} does not run; start() it first`);
    return this.#process;
  }

  get #open(): WayToRedis {
    if (this.#way === undefined) throw new Error(`${this.name} was never started`);
    return this.#way;
  }
}
