/**
 * Owns asking for dispatches, as backends do: at a rate that does not wait for answers, or as fast as some callers get
 * them. Knows when each assignment came, counted from when its call was due, so that a call which was late because of
 * the one before counts as late.
 */
import { build, type Histogram } from "hdr-histogram-js";
import { roomToken } from "../kit/access-tokens.js";
import { waitUntil } from "../kit/wait-until.js";
import { KEY, letPass, SECRET } from "./house.js";

const SETTLE_LIMIT_MS = 60_000;
const HIGHEST_MS = 3_600_000;

export class Callers {
  /** Calls that were not answered with a dispatch: none, or the figures are of something else. */
  failures = 0;
  #lastFailure = "";
  #calls = 0;
  #open = 0;
  /** When the call for a room was due. */
  readonly #due = new Map<string, number>();
  #latencies: Histogram = latencies();
  readonly #apiUrl: string;

  constructor(apiUrl: string) {
    this.#apiUrl = apiUrl;
  }

  /** Of what is assigned from now on. */
  forgetLatencies(): void {
    this.#latencies = latencies();
  }

  latencyMs(percentile: number): number {
    return this.#latencies.getValueAtPercentile(percentile) / 1_000;
  }

  assigned(room: string): void {
    const dueAtMs = this.#due.get(room);
    if (dueAtMs === undefined || !this.#due.delete(room)) return;
    this.#latencies.recordValue(Math.max(1, Math.round(1_000 * (performance.now() - dueAtMs))));
  }

  /** `count` calls, `perSecond` of them each second, whatever becomes of those before. */
  async steadily(agent: string, perSecond: number, count: number): Promise<void> {
    const startedAtMs = performance.now();
    for (let sent = 0; sent < count; sent++) {
      const dueAtMs = startedAtMs + (1_000 * sent) / perSecond;
      const waitMs = dueAtMs - performance.now();
      if (waitMs > 0) await letPass(waitMs);
      void this.#call(agent, dueAtMs, "");
    }
    await this.#settled();
  }

  /** One call after the other from each of `callers`, until `isOver`; returns how many there were. */
  async asFastAsPossible(
    agent: string,
    callers: number,
    isOver: (calls: number) => boolean,
    metadata = "",
  ): Promise<number> {
    let calls = 0;
    const one = async () => {
      while (!isOver(calls)) {
        calls++;
        await this.#call(agent, performance.now(), metadata);
      }
    };
    await Promise.all(Array.from({ length: callers }, one));
    await this.#settled();
    return calls;
  }

  async #call(agent: string, dueAtMs: number, metadata: string): Promise<void> {
    const room = `room-${++this.#calls}`;
    this.#due.set(room, dueAtMs);
    this.#open++;
    try {
      const response = await fetch(`${this.#apiUrl}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${roomToken(KEY, SECRET, room)}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ room, agentName: agent, metadata }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
    } catch (error) {
      this.failures++;
      this.#lastFailure = String(error);
    } finally {
      this.#open--;
    }
  }

  async #settled(): Promise<void> {
    await waitUntil("every call is answered", () => this.#open === 0, { deadlineMs: SETTLE_LIMIT_MS });
    if (this.failures > 0)
      throw new Error(`${this.failures} of ${this.#calls} calls failed; the last with ${this.#lastFailure}`);
  }
}

function latencies(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 1_000 * HIGHEST_MS,
    numberOfSignificantValueDigits: 3,
  });
}
