/**
 * Owns the network between one service and Redis: a proxy before each node, which the service's connections are led to
 * whatever address they were made for. Outlives the processes of the service.
 */
import { fileURLToPath } from "node:url";
import { type FlakyProxy, startFlakyProxy } from "../kit/flaky-proxy.js";

export interface RedisAddress {
  url: string;
  /** Of every node that holds data, whether the url names it or another node does. */
  ports: readonly number[];
}

const DETOUR = fileURLToPath(new URL("../kit/detour.mjs", import.meta.url));

export class WayToRedis {
  readonly #address: RedisAddress;
  readonly #proxies: readonly FlakyProxy[];

  private constructor(address: RedisAddress, proxies: readonly FlakyProxy[]) {
    this.#address = address;
    this.#proxies = proxies;
  }

  static async open(address: RedisAddress): Promise<WayToRedis> {
    const proxyTo = (port: number) => startFlakyProxy({ target: { host: "127.0.0.1", port } });
    return new WayToRedis(address, await Promise.all(address.ports.map(proxyTo)));
  }

  /** For the process that is to take it. */
  get env(): Record<string, string> {
    const { url, ports } = this.#address;
    const detours = ports.map((port, index) => `${port}:${this.#proxies[index]?.port}`);
    return { MUSTER_REDIS_URL: url, DETOURS: detours.join(","), NODE_OPTIONS: `--import ${DETOUR}` };
  }

  cut(): void {
    for (const proxy of this.#proxies) proxy.cut();
  }

  drop(): void {
    for (const proxy of this.#proxies) proxy.drop();
  }

  pass(): void {
    for (const proxy of this.#proxies) proxy.pass();
  }

  /** Instead of the reply to the next such command comes the end of that connection. */
  loseReply(match: Parameters<FlakyProxy["replyLost"]>[1]): ReturnType<FlakyProxy["replyLost"]> {
    const [proxy, ...others] = this.#proxies;
    if (proxy === undefined || others.length > 0)
      throw new Error("which node the next such command goes to is not known here; use a single Redis");
    return proxy.replyLost(1, match);
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
  }
}
