/**
 * Owns asking for dispatches as a backend does that wants its answer: the Twirp call of the SDKs, repeated at another api
 * with the same request id until somebody answers. What was answered is accepted, and nothing else is.
 */
import { randomUUID } from "node:crypto";
import { roomToken } from "../kit/access-tokens.js";

export interface Order {
  room: string;
  agent: string;
}

export interface DispatchesDeps {
  key: string;
  secret: string;
  /** Of the apis, whatever their condition; looked at for each attempt. */
  urls: () => readonly string[];
}

/** Short, since an api may be frozen; the SDKs wait 10 s. */
const ATTEMPT_LIMIT_MS = 1_000;
const PAUSE_MS = 50;

export class Dispatches {
  readonly counts = { calls: 0, repeats: 0 };
  readonly #deps: DispatchesDeps;
  #next = 0;

  constructor(deps: DispatchesDeps) {
    this.#deps = deps;
  }

  /** Returns the dispatch id. Rejects when nobody answered in time: the order may exist, or not. */
  async create({ room, agent }: Order, deadlineMs = 60_000): Promise<string> {
    const reply = await this.#call("CreateDispatch", room, { room, agentName: agent }, deadlineMs);
    const { id } = reply as { id?: string };
    if (id === undefined) throw new Error(`CreateDispatch answered without an id: ${JSON.stringify(reply)}`);
    return id;
  }

  /** One that is gone already is deleted as well. */
  async remove(id: string, room: string, deadlineMs = 60_000): Promise<void> {
    await this.#call("DeleteDispatch", room, { dispatchId: id, room }, deadlineMs);
  }

  async #call(method: string, room: string, message: object, deadlineMs: number): Promise<unknown> {
    const { key, secret, urls } = this.#deps;
    const startedAtMs = performance.now();
    const headers = {
      authorization: `Bearer ${roomToken(key, secret, room)}`,
      "content-type": "application/json",
      "x-livekit-request-id": randomUUID(),
    };
    this.counts.calls += 1;
    let next = this.#next++;
    for (let problem = "no api runs"; ; this.counts.repeats += 1) {
      const all = urls();
      const url = all[next++ % Math.max(1, all.length)];
      if (url !== undefined) {
        try {
          const response = await fetch(`${url}/twirp/livekit.AgentDispatchService/${method}`, {
            method: "POST",
            headers,
            body: JSON.stringify(message),
            signal: AbortSignal.timeout(ATTEMPT_LIMIT_MS),
          });
          if (response.ok) return await response.json();
          problem = `${response.status} ${await response.text()}`;
          if (response.status === 404 && method === "DeleteDispatch") return {};
        } catch (error) {
          problem = String(error);
        }
        if (/^4\d\d /.test(problem)) throw new Error(`${method} was refused: ${problem}`);
      }
      if (performance.now() - startedAtMs > deadlineMs)
        throw new Error(`${method} had no answer in ${deadlineMs} ms: ${problem}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
