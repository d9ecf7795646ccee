/** Whether namespaces with work are taken care of: each stands in an index with the time at which it is due. Reads only. */

import { createDueIndex } from "@muster/actor/due-index";
import type { Check } from "../check.js";
import { ok, warn } from "../finding.js";
import { redisOf } from "../surroundings.js";

/** A dispatcher looks every few seconds, and holds still for some after an outage. */
const OVERDUE_MS = 30_000;
const LOOKED_AT = 50;
const NAMED = 3;

export const dueNamespaces: Check = {
  name: "due-namespaces",
  looksAt: "No namespace has been due for more than 30 s: a dispatcher takes care of each.",
  async run(surroundings) {
    const redis = await redisOf(surroundings).client();
    const due = await createDueIndex({ redis }).due(LOOKED_AT);
    const late = due.filter(({ overdueMs }) => overdueMs > OVERDUE_MS);
    if (late.length === 0) return [ok("no namespace waits for a dispatcher")];
    late.sort((one, other) => other.overdueMs - one.overdueMs);
    const names = late.slice(0, NAMED).map(({ name }) => name);
    const more = late.length > NAMED ? `, and ${late.length - NAMED} more` : "";
    const longestS = Math.round((late[0]?.overdueMs ?? 0) / 1000);
    return [
      warn(
        `${names.join(", ")}${more} should have been looked at ${longestS} s ago, and nobody did`,
        "start dispatchers on this Redis, or more of them; their logs say what keeps them",
      ),
    ];
  },
};
