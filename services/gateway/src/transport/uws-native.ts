/**
 * Loads uWebSockets.js, and says in plain words why it could not be. The only file that imports it for its code.
 * A dynamic import, because a missing or unfitting binary must be an answer and not the end of the process.
 */

import type { TemplatedApp, us_listen_socket } from "uWebSockets.js";
import { arch, platform, versions } from "node:process";
import { ListenError, requireFree } from "./listen-error.js";

export type Uws = typeof import("uWebSockets.js");

/** Node's own bound on a request's headers; the library's default of 4 KiB is short for the tokens LiveKit users send. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Rejects with an UwsLoadError. */
export async function loadUws(): Promise<Uws> {
  // Read by the binary when it loads; it has no other setting for this.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(MAX_HEADER_BYTES);
  try {
    return await import("uWebSockets.js");
  } catch (error) {
    throw new UwsLoadError(error);
  }
}

/**
 * Rejects with a ListenError. The library shares a port with any other process of the same user that does the same, and
 * each would get half of the workers; its exclusive mode would refuse that, but also a restart within a minute (it then
 * leaves out SO_REUSEADDR). So the port is tried the ordinary way first. Two that start in the same millisecond pass.
 */
export async function listenAlone(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  await requireFree(host, port);
  const listening = await new Promise<us_listen_socket | false>((resolve) => {
    app.listen(host, port, resolve);
  });
  if (listening !== false) return listening;
  await requireFree(host, port);
  throw new ListenError(host, port, "unknown");
}

export class UwsLoadError extends Error {
  override readonly name = "UwsLoadError";
  /** What to do about it. */
  readonly remedy: string;

  constructor(cause: unknown) {
    const found = rootCause(cause);
    super(`uWebSockets.js cannot be loaded: ${found}`, { cause });
    this.remedy = remedyFor(found);
  }
}

/** The package wraps what the system said into a paragraph about Node versions, whatever the reason was. */
function rootCause(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const system = text.split("\n\n").at(-1) ?? text;
  return system.split("\n")[0]?.replace(/^Error: /, "") ?? text;
}

function remedyFor(cause: string): string {
  if (cause.includes("GLIBC_2.38")) {
    return "run `node services/gateway/native/relink-uwebsockets.mjs`, or use a system with glibc 2.38 (Debian 13, Ubuntu 24.04)";
  }
  if (cause.includes("GLIBC_") || cause.includes("ld-linux")) {
    return "use a system with glibc 2.36 or later (Debian 12, Ubuntu 24.04); musl (Alpine) is not supported";
  }
  if (cause.includes("Cannot find module './uws_")) {
    return `use Node 20, 22, 24 or 25 on x64 or arm64; this is Node ${versions.node} (ABI ${versions.modules}) on ${platform}-${arch}`;
  }
  return "run `npm ci` again";
}
