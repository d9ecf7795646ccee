/**
 * The dead letters of a project's hooks as callers see them: events that a receiver did not take in all their tries, the
 * newest kept. Owns their ids, which name the hook too; each hook keeps its own.
 */

import { DispatchError } from "@muster/domain/errors";
import { type JobEvent, readJobEvent } from "@muster/domain/job-event";
import type { DeadItem, Lanes } from "@muster/runtime/queue/lanes";
import { type Hook, shownUrl } from "./hook.js";

export interface EventDeadLetter {
  id: string;
  url: string;
  event: JobEvent;
  /** Why the last try failed, for people. */
  reason: string;
  tries: number;
  diedAtMs: number;
}

export interface HookLanes {
  hook: Hook;
  lanes: Lanes;
}

const REPLAYED_AT_ONCE = 1_000;

export class EventDeadLetters {
  readonly #hooks: readonly HookLanes[];

  constructor(hooks: readonly HookLanes[]) {
    this.#hooks = hooks;
  }

  /** Of all hooks of the project, newest first. */
  async list(project: string, limit: number): Promise<EventDeadLetter[]> {
    const lists = await Promise.all(
      this.#of(project).map(async (each) =>
        (await each.lanes.dead(limit)).flatMap((item) => letter(each.hook, item)),
      ),
    );
    return lists
      .flat()
      .sort((one, other) => other.diedAtMs - one.diedAtMs)
      .slice(0, limit);
  }

  /** @throws DispatchError `not_found` */
  async find(project: string, id: string): Promise<EventDeadLetter> {
    const { hook, lanes, key } = this.#locate(project, id);
    const item = await lanes.findDead(key);
    const [found] = item === undefined ? [] : letter(hook, item);
    if (found === undefined) throw unknown(id);
    return found;
  }

  /** To be delivered anew, with as many tries as at first, behind what its job still has to deliver. @throws DispatchError `not_found` */
  async replay(project: string, id: string): Promise<void> {
    const { lanes, key } = this.#locate(project, id);
    if (!(await lanes.replay(key))) throw unknown(id);
  }

  /** All of them, oldest first, so that those of one job keep their order. Answers how many. */
  async replayAll(project: string): Promise<number> {
    let count = 0;
    for (const { lanes } of this.#of(project)) {
      const items = await lanes.dead(REPLAYED_AT_ONCE);
      for (const { key } of items.reverse()) if (await lanes.replay(key)) count += 1;
    }
    return count;
  }

  #of(project: string): readonly HookLanes[] {
    return this.#hooks.filter(({ hook }) => hook.project === project);
  }

  #locate(project: string, id: string): HookLanes & { key: string } {
    const dash = id.indexOf("-");
    const found = this.#of(project).find(({ hook }) => hook.id === id.slice(0, dash));
    if (found === undefined) throw unknown(id);
    return { ...found, key: id.slice(dash + 1) };
  }
}

/** A hook's id is hexadecimal, so its end is the first dash. */
function letter(hook: Hook, { key, payload, reason, tries, diedAtMs }: DeadItem): EventDeadLetter[] {
  const event = readJobEvent(payload);
  if (event === undefined) return [];
  return [{ id: `${hook.id}-${key}`, url: shownUrl(hook), event, reason, tries, diedAtMs }];
}

function unknown(id: string): DispatchError {
  return new DispatchError(
    "not_found",
    `there is no dead letter ${id}; it was replayed, or newer ones took its place`,
  );
}
