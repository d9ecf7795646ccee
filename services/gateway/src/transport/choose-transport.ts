/**
 * Which transport a gateway serves with. Prefers uWebSockets.js; where its binary does not load, the gateway still works,
 * on `ws`, and says loudly what that costs and how to get the other one. Reads no configuration.
 */
import type { Log } from "@muster/runtime/log";
import type { StartTransport } from "./transport.js";
import { loadUws, UwsLoadError } from "./uws-native.js";

export const TRANSPORT_CHOICES = ["auto", "uws", "ws"] as const;
export type TransportChoice = (typeof TRANSPORT_CHOICES)[number];

export interface ChooseTransportDeps {
  choice: TransportChoice;
  log: Log;
  /** Loads the native library; its own loader when absent. */
  load?: () => Promise<unknown>;
}

/** Throws UwsLoadError when "uws" was asked for and does not load; its message and `remedy` are for the operator. */
export async function chooseTransport({
  choice,
  log,
  load = loadUws,
}: ChooseTransportDeps): Promise<StartTransport> {
  // Imported as they are needed: each brings its own library into memory.
  const ws = async () => (await import("./ws-transport.js")).startWsTransport;
  if (choice === "ws") return ws();
  try {
    await load();
  } catch (error) {
    if (choice === "uws" || !(error instanceof UwsLoadError)) throw error;
    log.warn(
      { cause: error.message, remedy: error.remedy },
      "serving agents with ws instead of uWebSockets.js: same behaviour, several times the memory and CPU per worker",
    );
    return ws();
  }
  return (await import("./uws-transport.js")).startUwsTransport;
}
