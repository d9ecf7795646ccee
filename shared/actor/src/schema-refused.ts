/**
 * Owns the words, and the exit code, with which a process does not start on a Redis that is of another schema than it can
 * live with. Says what to do; docs/UPGRADING.md says more.
 */
import type { Schema } from "@muster/domain/schema";
import type { Log } from "@muster/runtime/log";
import type { ClaimReply } from "./claim-reply.js";

/** A configuration that cannot be used is 2, anything else 1. */
export const SCHEMA_EXIT_CODE = 3;

const SEE = "see docs/UPGRADING.md";

export class SchemaRefused extends Error {
  override readonly name = "SchemaRefused";

  /** What is kept is beyond it. */
  static byStore(own: Schema, { oldest, newest }: Pick<ClaimReply, "oldest" | "newest">): SchemaRefused {
    return new SchemaRefused(
      `this build is of schema ${own.writes}, and this Redis has been used by builds of schema ${newest}, ` +
        `which none older than ${oldest} can follow; start a build of schema ${oldest} or later (${SEE})`,
    );
  }

  /** Somebody runs who is too old for it: who is too new has said so in what is kept. */
  static beside(own: Schema, { neighbours }: Pick<ClaimReply, "neighbours">): SchemaRefused {
    const clashing = neighbours.filter(({ clashes }) => clashes);
    const schemas = [...new Set(clashing.map(({ writes }) => writes))].sort((a, b) => a - b);
    return new SchemaRefused(
      `this build is of schema ${own.writes} and lives with ${own.livesWith} and later; ${clashing.length} processes of ` +
        `schema ${schemas.join(", ")} run on this Redis; upgrade all of these to schema ${own.livesWith} first, then to ` +
        `${own.writes}, or stop them (${SEE})`,
    );
  }
}

/** Logs why and ends the process, where it may not run here; anything else that is thrown goes on. */
export async function exitIfRefused(log: Log, claim: { take(): Promise<void> }): Promise<void> {
  try {
    await claim.take();
  } catch (error) {
    if (!(error instanceof SchemaRefused)) throw error;
    log.error({ exitCode: SCHEMA_EXIT_CODE, reason: error.message }, "this build may not run on this Redis");
    // Also where nothing is logged.
    process.stderr.write(`Muster does not start: ${error.message}\n`);
    process.exit(SCHEMA_EXIT_CODE);
  }
}
