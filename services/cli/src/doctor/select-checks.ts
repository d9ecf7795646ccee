/** Which checks run: all, those of --only, all but those of --skip. A name's beginning up to a "-" means all of these. */

import { suggestion } from "@muster/runtime/did-you-mean";
import type { Check } from "./check.js";

/** A name on the command line that is no check's. */
export class UnknownCheck extends Error {
  override readonly name = "UnknownCheck";
}

/** @throws UnknownCheck */
export function selectChecks(
  all: readonly Check[],
  { only, skip }: { only: readonly string[]; skip: readonly string[] },
): Check[] {
  for (const given of [...only, ...skip]) {
    if (all.some((check) => isMeant(check, given))) continue;
    const known = all.map(({ name }) => name);
    throw new UnknownCheck(`"${given}" is no check${suggestion(given, known)}; --list names them`);
  }
  return all.filter(
    (check) =>
      (only.length === 0 || only.some((given) => isMeant(check, given))) &&
      !skip.some((given) => isMeant(check, given)),
  );
}

function isMeant({ name }: Check, given: string): boolean {
  return name === given || name.startsWith(`${given}-`);
}
