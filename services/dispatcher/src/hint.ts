/**
 * Reads a message from the node's inbox: which actor it is for, and what it says. Other nodes of ours write it, perhaps
 * of another version: what cannot be read is refused as a value, what is said beside what is known here is passed over,
 * and the timers in Redis make up for both. A field that is new in a message has a default here (`.default(…)`) for as
 * long as builds are lived with that do not send it: see CONTRIBUTING.md, "change what is kept".
 */

import type { ActorEnvelope } from "@muster/actor/actor-link";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { z } from "zod";

const namespaceMessage: z.ZodType<NamespaceMessage> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("intake"), count: z.int().min(1).max(100_000) }),
  z.object({ kind: z.literal("admit"), job: z.string().min(1).max(128) }),
  z.object({ kind: z.literal("serve"), pool: z.string().min(1).max(1_024) }),
  z.object({ kind: z.literal("orphan"), job: z.string().min(1).max(128) }),
  z.object({ kind: z.literal("due"), atMs: z.int().positive() }),
]);
const envelope = z.object({ actor: z.string().min(1).max(256), message: namespaceMessage });

/** undefined: no message to an actor of ours, or one of a kind that this version does not know. */
export function readHint(raw: unknown): ActorEnvelope<NamespaceMessage> | undefined {
  return envelope.safeParse(raw).data;
}

/** What an unread message calls itself, for the log: it comes from outside this version. */
export function kindOf(raw: unknown): string {
  const named = z.object({ message: z.object({ kind: z.string().max(64) }) }).safeParse(raw);
  return named.data?.message.kind ?? "";
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
