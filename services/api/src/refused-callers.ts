/**
 * Who was refused because a bound of the api was reached, for whoever looks for the cause of 429 and 503. One line a minute for
 * each caller and bound, however often it calls; must never hold a name that a caller made long.
 */

import type { Clock } from "@muster/runtime/clock";
import { FoldingLog, type FoldLimits } from "@muster/runtime/folding-log";
import type { Log } from "@muster/runtime/log";
import type { CallerName } from "./auth.js";

/** `…_of_caller`: its own share (429); the others are what all have together (503). */
export type CallerBound = "bodies_of_caller" | "bodies" | "livekit_calls_of_caller" | "livekit_calls";

export interface RefusedCaller {
  caller: CallerName;
  request: Request;
  bound: CallerBound;
  /** Of a bound that all have together: who has most of it. */
  holder?: CallerName | undefined;
}

export interface RefusedCallersDeps {
  clock: Pick<Clock, "now" | "setTimer">;
  log: Log;
}

const MOST_OF_ONE = 1;
const MOST_OF_ALL = 100;
const MAX_SHOWN = 128;

const limits: FoldLimits = ({ keyId, identity, bound }) => [
  { name: JSON.stringify([keyId, identity, bound]), most: MOST_OF_ONE },
  { name: "all", most: MOST_OF_ALL },
];

export class RefusedCallers {
  readonly #folding: FoldingLog;
  readonly #log: Log;
  /** The peer's, by request: only the door knows it. */
  readonly #addresses = new WeakMap<Request, string>();

  constructor(deps: RefusedCallersDeps) {
    this.#folding = new FoldingLog(deps);
    this.#log = this.#folding.of(deps.log, limits);
  }

  /** Of every request, before it is answered. */
  came(request: Request, remoteAddress: string | undefined): void {
    if (remoteAddress !== undefined) this.#addresses.set(request, remoteAddress);
  }

  refused({ caller, request, bound, holder }: RefusedCaller): void {
    const clientIp = this.#addresses.get(request);
    const held = holder && shown(holder);
    this.#log.child({ ...shown(caller), bound }).warn(
      {
        ...(clientIp !== undefined && { clientIp }),
        ...(held && { holderKeyId: held.keyId, holderIdentity: held.identity }),
      },
      "a caller was refused, a bound of the api is reached",
    );
  }

  /** How many lines were not written is told now. */
  stop(): void {
    this.#folding.stop();
  }
}

function shown({ name, keyId = name, identity = "" }: CallerName): { keyId: string; identity: string } {
  return { keyId: keyId.slice(0, MAX_SHOWN), identity: identity.slice(0, MAX_SHOWN) };
}
