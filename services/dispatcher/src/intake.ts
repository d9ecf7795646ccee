/**
 * Reads what an entry of the intake queue says. It says only that something came in, and which jobs to look at; what is
 * true of them is in the ledger. An entry that cannot be read is a dead letter: no retry makes it better.
 */

import { isId } from "@muster/domain/ids";
import { type IntakeEntry, UnrecoverableIntakeError } from "@muster/runtime/queue/intake-entry";
import { z } from "zod";

const entryData = z.object({ jobs: z.array(z.string().refine(isId, "is no id")).min(1).max(1_000) });

/** @throws UnrecoverableIntakeError naming the field that is at fault. */
export function jobsOf(entry: IntakeEntry): readonly string[] {
  const parsed = entryData.safeParse(entry.data);
  if (parsed.success) return parsed.data.jobs;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "data"}: ${issue.message}`);
  throw new UnrecoverableIntakeError(`intake entry ${entry.id} cannot be read: ${problems.join("; ")}`);
}
