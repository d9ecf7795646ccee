/** Reads what Redis counts of itself, by INFO. */
import type { RedisClient } from "@muster/runtime/redis/connect";

const BESIDE_DATA = ["mem_clients_normal", "mem_aof_buffer", "used_memory_scripts"];

export interface RedisReading {
  /** Of the server itself, without what rewrites its file in the background. */
  readonly cpuMs: number;
  /** Sent to it and by it. */
  readonly netBytes: number;
  /** What it holds: without the scripts that it knows, and the buffers of its clients and its file, which come and go. */
  readonly dataBytes: number;
  readonly aofBytes: number;
}

export async function readRedis(client: RedisClient): Promise<RedisReading> {
  const info = await client.info();
  const field = (name: string): number => {
    const found = new RegExp(`^${name}:([\\d.]+)\r?$`, "m").exec(info)?.[1];
    if (found === undefined) throw new Error(`this Redis tells no ${name} in INFO`);
    return Number(found);
  };
  return {
    cpuMs: 1_000 * (field("used_cpu_user") + field("used_cpu_sys")),
    netBytes: field("total_net_input_bytes") + field("total_net_output_bytes"),
    dataBytes: field("used_memory") - BESIDE_DATA.reduce((sum, name) => sum + field(name), 0),
    aofBytes: field("aof_current_size"),
  };
}
