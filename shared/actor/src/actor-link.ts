/**
 * The way to an actor from a process that does not host it: the live node that rendezvous hashing gives its name to,
 * and that node's inbox. Holds nothing; a message that finds nobody is a lost hint, which the due index makes good.
 */

import type { NodeRole } from "./keys.js";
import type { NodeDirectory } from "./node-directory.js";
import type { Outbox } from "./outbox.js";
import { ownerOf } from "./rendezvous.js";

/** What a message to an actor travels in. */
export interface ActorEnvelope<M> {
  actor: string;
  message: M;
}

export interface ActorLinkDeps {
  directory: NodeDirectory;
  outbox: Outbox;
  /** Role of the nodes that host actors. */
  role: NodeRole;
}

export interface ActorLink<M> {
  /** "nobody" when no live node of the role has an inbox. Rejects when Redis takes nothing. */
  tell(actor: string, message: M): Promise<"sent" | "nobody">;
}

const MOST_ROUNDS = 4;

export function createActorLink<M>({ directory, outbox, role }: ActorLinkDeps): ActorLink<M> {
  return {
    async tell(actor, message) {
      const envelope: ActorEnvelope<M> = { actor, message };
      // A dead node is listed until its lease ends, so the next in line may be asked to forward. Bounded: it is a hint.
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const owner = ownerOf(actor, await directory.live(role));
        if (owner === undefined) return "nobody";
        if ((await outbox.send(owner, envelope)) === "sent") return "sent";
        directory.forget(owner);
      }
      return "nobody";
    },
  };
}
