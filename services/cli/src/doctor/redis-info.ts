/** What a Redis says of itself: INFO's lines by name, and settings, where it may be asked for them. */

import type { Master } from "./redis-access.js";

export type Info = ReadonlyMap<string, string>;

/** Empty where INFO is not allowed. */
export async function infoOf(redis: Master["redis"], section: string): Promise<Info> {
  const text = await redis.info(section).catch(undefinedWhenForbidden);
  const lines = (text ?? "").split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** undefined where CONFIG is not allowed, or has another name (managed services), or knows no such setting. */
export async function settingOf(redis: Master["redis"], name: string): Promise<string | undefined> {
  const reply = await redis.config("GET", name).catch(undefinedWhenForbidden);
  return Array.isArray(reply) && typeof reply[1] === "string" ? reply[1] : undefined;
}

export function numberIn(info: Info, name: string): number {
  return Number(info.get(name) ?? 0);
}

function undefinedWhenForbidden(error: unknown): undefined {
  const { message } = error as Error;
  if (/^(NOPERM|ERR unknown (command|subcommand))/.test(message)) return undefined;
  throw error;
}

/** "1.5 MiB" */
export function inBytes(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes >= 1024 ? `${(mebibytes / 1024).toFixed(1)} GiB` : `${mebibytes.toFixed(1)} MiB`;
}
