/**
 * One worker's socket that says one thing over and over, as fast as its gateway takes it in. When it is closed it dials again
 * and goes on: a bound that closes must hold against that too.
 */
import { connectWorker, type WorkerClient } from "../../../test/kit/worker-client.js";
import type { Findings, Scene } from "../attack.js";
import { pause } from "../sockets.js";

const MOST_WAITING = 4 * 1024 * 1024;

export interface Flood {
  readonly agent: string;
  readonly frame: Uint8Array;
  /** Frames in full size, and the least that fill a process without a bound. */
  readonly frames: number;
  readonly leastFrames: number;
}

export async function flood(scene: Scene, { agent, frame, frames, leastFrames }: Flood): Promise<Findings> {
  const { signal } = scene;
  const most = scene.sized(frames, leastFrames);
  let [sent, closes, lastCode] = [0, 0, 0];
  while (sent < most && !signal.aborted) {
    const client = await dial(scene, agent);
    if (client === undefined) {
      await pause(100, signal);
      continue;
    }
    client.onClose(({ code }) => {
      closes++;
      lastCode = code;
    });
    while (sent < most && !signal.aborted && client.isOpen) {
      if (client.unsentBytes > MOST_WAITING) {
        await pause(1, signal);
        continue;
      }
      client.sendRaw(frame);
      sent++;
      // Whatever came is read in between.
      if (sent % 16 === 0) await pause(0, signal);
    }
    // What it sent is still on its way.
    while (client.isOpen && client.unsentBytes > 0 && !signal.aborted) await pause(10, signal);
    if (client.isOpen) client.cut();
  }
  return { figures: { sent, mib: (sent * frame.byteLength) / 1_024 ** 2, closes, lastCode }, broken: [] };
}

async function dial(scene: Scene, agentName: string): Promise<WorkerClient | undefined> {
  try {
    const client = await connectWorker({
      url: scene.gateway,
      token: scene.tokens.worker(),
      handshakeMs: 2_000,
    });
    await client.register({ agentName });
    return client;
  } catch {
    return undefined;
  }
}
