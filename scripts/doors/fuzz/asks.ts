/** Requests of fuzzers over kept connections, and what an answer's status means for one that may be anything. */
import { Agent, request } from "node:http";
import type { Reaction } from "./fuzzer.js";

export interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Answered {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly text: string;
  readonly mayComeBack: boolean;
}

const DEADLINE_MS = 15_000;

export class Asks {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  ask({ method, path, headers = {}, body }: Ask): Promise<Answered> {
    return new Promise((resolve) => {
      const none = (status: number) => resolve({ status, text: "", mayComeBack: false });
      const call = request(`${this.#url}${path}`, {
        ...{ method, agent: this.#agent, timeout: DEADLINE_MS },
        headers: {
          ...headers,
          ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
        },
      });
      call.on("response", (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          if (text.length < 65_536) text += String(chunk);
        });
        answer.once("close", () =>
          resolve({
            status: answer.statusCode ?? 0,
            text,
            mayComeBack: answer.headers["retry-after"] !== undefined,
          }),
        );
      });
      call.on("timeout", () => {
        call.destroy();
        none(NO_ANSWER);
      });
      call.on("error", () => none(0));
      call.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const NO_ANSWER = -1;
const NOT_SERVED = new Set([501, 505]);

/** `what` is said of an answer that no input may have. */
export function reactionTo(answer: Answered, what: () => string): Reaction {
  const { status, mayComeBack } = answer;
  if (status >= 200 && status < 300) return "taken";
  if (status === 0 || (status >= 400 && status < 500) || NOT_SERVED.has(status)) return "refused";
  if (status === 503 && mayComeBack) return "refused";
  const seen =
    status === NO_ANSWER ? `no answer in ${DEADLINE_MS} ms` : `${status} ${answer.text.slice(0, 200)}`;
  return { odd: `${seen} to ${what()}` };
}

/** The same for what must be refused whatever else it is. */
export function mustBeRefused(answer: Answered, what: () => string): Reaction {
  const reaction = reactionTo(answer, what);
  return reaction === "taken" ? { odd: `${answer.status} to ${what()}, which must be refused` } : reaction;
}

/** An input for a report: cut, and without what a terminal would act on. */
export function shown(input: Uint8Array | string): string {
  const text = typeof input === "string" ? input : Buffer.from(input).toString("latin1");
  return JSON.stringify(text.slice(0, 200));
}
