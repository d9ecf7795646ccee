/**
 * Reads a message from the node's inbox: which actor it is for, and what it says. Other nodes of ours write it, perhaps
 * of another version; what cannot be read is refused and counted, and the timers in Redis make up for it.
 */

import type { ActorEnvelope } from "@muster/actor/actor-link";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { z } from "zod";

const namespaceMessage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("intake"), count: z.int().min(1).max(100_000) }),
  z.object({ kind: z.literal("admit"), job: z.string().min(1).max(128) }),
  z.object({ kind: z.literal("serve"), pool: z.string().min(1).max(1_024) }),
  z.object({ kind: z.literal("orphan"), job: z.string().min(1).max(128) }),
  z.object({ kind: z.literal("due"), atMs: z.int().positive() }),
]);
const envelope = z.object({ actor: z.string().min(1).max(256), message: namespaceMessage });

/** @throws ZodError for what is no message to an actor of ours. */
export function readHint(raw: unknown): ActorEnvelope<NamespaceMessage> {
  return envelope.parse(raw);
}

/** Messages that say the same coalesce while they wait; an intake carries a count and never does. */
export function hintKey(message: NamespaceMessage): string | undefined {
  switch (message.kind) {
    case "intake":
      return undefined;
    case "admit":
      return `admit|${message.job}`;
    case "serve":
      return `serve|${message.pool}`;
    case "orphan":
      return `orphan|${message.job}`;
    case "due":
      return `due|${message.atMs}`;
  }
}
