/**
 * Says how much JavaScript heap a service uses, once what it does not use any more is collected: asked of its debugger,
 * which a signal makes it open on a free port of 127.0.0.1. Only for services that were started with `WITH_DEBUGGER`.
 */
import WebSocket from "ws";
import type { ServiceProcess } from "../kit/service-process.js";
import { waitUntil } from "../kit/wait-until.js";
import { scrape, sumIn } from "./metric-readings.js";

export const WITH_DEBUGGER = { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" };

const ANSWER_LIMIT_MS = 30_000;
const COLLECT = JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" });

export async function heapInUse(service: ServiceProcess): Promise<number> {
  process.kill(service.pid, "SIGUSR1");
  const url = await waitUntil(
    "its debugger listens",
    () => /Debugger listening on (ws:\S+)/.exec(service.output())?.[1],
    { deadlineMs: ANSWER_LIMIT_MS },
  );
  const socket = new WebSocket(url);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the debugger closed before it answered")));
      socket.once("open", () => socket.send(COLLECT));
      // Its first and only message to us is the answer.
      socket.once("message", () => resolve());
    });
  } finally {
    socket.terminate();
  }
  return sumIn(await scrape(service), "nodejs_heap_size_used_bytes");
}
