/**
 * What a check is. It looks at one thing, changes nothing that is not its own, and says what it measured; where something is
 * wrong, also what to do. How long it may take and what becomes of an error is examine.ts'.
 */

import type { Finding } from "./finding.js";
import type { Surroundings } from "./surroundings.js";

export interface Check {
  readonly name: string;
  /** One sentence, for `--list` and docs/DOCTOR.md. */
  readonly looksAt: string;
  /**
   * At least one finding. Whatever it made it has removed when this settles, also when `signal` has fired meanwhile:
   * then the answer is not waited for any more.
   */
  run(surroundings: Surroundings, signal: AbortSignal): Promise<Finding[]>;
}
