/**
 * The bodies that an api holds at a time, from their first byte until their call is done: a bound in bytes for all of them, a
 * share of it for each caller, and a time for each to arrive. Nobody waits for room here: who finds none is told when to
 * come again. Who may send one at all was decided before (auth.ts).
 */

import { DispatchError } from "@muster/domain/errors";
import { MAX_BODY_BYTES } from "@muster/domain/limits";
import { ByteBudget } from "@muster/runtime/byte-budget";
import type { Clock } from "@muster/runtime/clock";
import type { CallerName } from "./auth.js";
import type { DoorPolicy } from "./door-policy.js";
import type { CallerBound, RefusedCallers } from "./refused-callers.js";
import { readBody } from "./request-body.js";

export interface BodiesDeps {
  policy: Pick<DoorPolicy, "bodiesBytes" | "bodyMs">;
  clock: Clock;
  /** Who finds no room is told to it. */
  refusedCallers?: Pick<RefusedCallers, "refused">;
}

interface Share {
  caller: CallerName;
  budget: ByteBudget;
}

/** A person's or an agent's token is one of many. A server's has its key to itself, whose share leaves others the half. */
const SHARE = { one: 1 / 4, key: 1 / 2 } as const;

export class Bodies {
  readonly #deps: BodiesDeps;
  readonly #all: ByteBudget;
  readonly #shares = new Map<string, Share>();

  constructor(deps: BodiesDeps) {
    this.#deps = deps;
    this.#all = new ByteBudget(deps.policy.bodiesBytes);
  }

  get usedBytes(): number {
    return this.#all.used;
  }

  /**
   * Reads the body and holds it while `work` runs.
   * @throws DispatchError `too_large`, `malformed` (it broke off, or came too slowly), `unavailable` (no room),
   *   `resource_exhausted` (no room in the caller's share), and whatever `work` throws
   */
  async during<T>(
    request: Request,
    { caller, maxBytes }: { caller: CallerName; maxBytes: number },
    work: (body: Uint8Array<ArrayBuffer>) => Promise<T>,
  ): Promise<T> {
    const { clock, policy } = this.#deps;
    let taken = 0;
    let cancelTimer = () => {};
    const late = new Promise<never>((_, reject) => {
      cancelTimer = clock.setTimer(policy.bodyMs, () => reject(tooSlow(policy.bodyMs)));
    });
    late.catch(() => undefined);
    const take = (bytes: number) => {
      this.#take(caller, bytes, (bound, holder) =>
        this.#deps.refusedCallers?.refused({ caller, request, bound, holder }),
      );
      taken += bytes;
    };
    try {
      const body = await readBody(request, { maxBytes, take, late });
      cancelTimer();
      return await work(body);
    } finally {
      cancelTimer();
      this.#give(caller, taken);
    }
  }

  #take(caller: CallerName, bytes: number, tell: (bound: CallerBound, holder?: CallerName) => void): void {
    const { name, kind } = caller;
    const most = Math.max(MAX_BODY_BYTES, Math.floor(this.#all.most * SHARE[kind]));
    const share = this.#shares.get(name)?.budget ?? new ByteBudget(most);
    if (!share.take(bytes)) {
      tell("bodies_of_caller");
      throw new DispatchError(
        "resource_exhausted",
        `bodies of this caller hold ${share.used} of the ${most} bytes that one may; send fewer at a time`,
        "body",
      );
    }
    if (!this.#all.take(bytes)) {
      share.give(bytes);
      tell("bodies", this.#holder());
      throw new DispatchError(
        "unavailable",
        `bodies hold ${this.#all.used} of the ${this.#all.most} bytes that this process has for them (MUSTER_BODIES_BYTES); repeat the call`,
        "body",
      );
    }
    this.#shares.set(name, { caller, budget: share });
  }

  /** Who holds most. */
  #holder(): CallerName | undefined {
    let most: Share | undefined;
    for (const share of this.#shares.values()) {
      if (share.budget.used > (most?.budget.used ?? 0)) most = share;
    }
    return most?.caller;
  }

  #give({ name }: CallerName, bytes: number): void {
    if (bytes === 0) return;
    this.#all.give(bytes);
    const share = this.#shares.get(name)?.budget;
    share?.give(bytes);
    if (share?.used === 0) this.#shares.delete(name);
  }
}

function tooSlow(bodyMs: number): DispatchError {
  return new DispatchError("malformed", `did not arrive within ${bodyMs / 1_000} s (MUSTER_BODY_MS)`, "body");
}
