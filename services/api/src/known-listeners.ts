/**
 * For how long a namespace that gets work is to tell what becomes of it. Receivers of webhooks are known from the start;
 * of live streams, which may be open at another process, the board knows. Asks it once a second at most, and never is a
 * reason to refuse work.
 */

import { projectOf } from "@muster/domain/namespace";
import type { ListenerBoard } from "@muster/runtime/events/listener-board";
import type { Hook } from "./events/hook.js";

export interface KnownListenersDeps {
  hooks: readonly Hook[];
  board: Pick<ListenerBoard, "isListened">;
}

/** Longer than no dispatcher may run: the one that hosts the namespace says it again. */
const FOR_HOOKS_MS = 24 * 3_600_000;
const FOR_STREAMS_MS = 60_000;

export class KnownListeners {
  readonly #deps: KnownListenersDeps;

  constructor(deps: KnownListenersDeps) {
    this.#deps = deps;
  }

  /** 0 when nobody is known to listen. */
  async listenMs(namespace: string): Promise<number> {
    const { hooks, board } = this.#deps;
    const project = projectOf(namespace);
    if (hooks.some((hook) => hook.project === project)) return FOR_HOOKS_MS;
    const isListened = await board.isListened(project).catch(() => false);
    return isListened ? FOR_STREAMS_MS : 0;
  }
}
