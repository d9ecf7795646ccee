/**
 * The bugs that the suites are shown to catch, each by name. `npm run mutations` plants them one by one; see run.mjs.
 *
 * A mutation is
 *   name      what the code then does wrong, in the words of the domain: ONLY=… picks by it, so it is told apart by it
 *   breaks    the invariant of the design that it breaks, by number (`shared/ledger/INVARIANTS.md` says what each is),
 *             or 0 when it only misleads those who watch
 *   file      the one file that is changed, from the root of the checkout
 *   find      text that is in it exactly once; when it is not any more, the mutation is stale, and that is an error
 *   replace   what stands there instead. It must still be a program: a test that fails for a bad name proves nothing
 *   also      further { find, replace } of the same file, where one place alone would break nothing
 *   caughtBy  { file, test }, or several: a test file, and a part of the full name (describe and test, as vitest prints
 *             it) of the tests that must fail. As few as will do, the quickest, and on one kind of Redis or transport
 *
 * Who adds a rule adds its mutation. One that survives asks for a test; or it shows code that nothing needs, and then
 * that code goes. What only costs time when it is missing (hints, caches) is listed where a test can tell.
 */

import { ACTOR } from "./actor.mjs";
import { API } from "./api.mjs";
import { API_DOOR } from "./api-door.mjs";
import { DISPATCHER } from "./dispatcher.mjs";
import { DOORS } from "./doors.mjs";
import { DRAINS } from "./drains.mjs";
import { FRAMING } from "./framing.mjs";
import { GATEWAY_BOUNDS } from "./gateway-bounds.mjs";
import { GATEWAY_JOBS } from "./gateway-jobs.mjs";
import { GATEWAY_SESSIONS } from "./gateway-sessions.mjs";
import { LEDGER_ATTEMPTS } from "./ledger-attempts.mjs";
import { LEDGER_ENDS } from "./ledger-ends.mjs";
import { LEDGER_OFFERS } from "./ledger-offers.mjs";
import { LEDGER_ORDERS } from "./ledger-orders.mjs";
import { LEDGER_PLACEMENT } from "./ledger-placement.mjs";
import { LEDGER_RECOVERY } from "./ledger-recovery.mjs";
import { LEDGER_SICK } from "./ledger-sick.mjs";
import { LEDGER_SPLITS } from "./ledger-splits.mjs";
import { LEDGER_WAITING } from "./ledger-waiting.mjs";
import { NEIGHBOURS } from "./neighbours.mjs";
import { ROOMS } from "./rooms.mjs";
import { VERSIONS } from "./versions.mjs";
import { WATCHING } from "./watching.mjs";

export const MUTATIONS = [
  ...LEDGER_OFFERS,
  ...LEDGER_PLACEMENT,
  ...LEDGER_SPLITS,
  ...LEDGER_ENDS,
  ...LEDGER_RECOVERY,
  ...LEDGER_ORDERS,
  ...LEDGER_WAITING,
  ...LEDGER_ATTEMPTS,
  ...DRAINS,
  ...LEDGER_SICK,
  ...NEIGHBOURS,
  ...ROOMS,
  ...FRAMING,
  ...GATEWAY_BOUNDS,
  ...GATEWAY_JOBS,
  ...GATEWAY_SESSIONS,
  ...DISPATCHER,
  ...API,
  ...API_DOOR,
  ...ACTOR,
  ...VERSIONS,
  ...WATCHING,
  ...DOORS,
].map((mutation) => ({ ...mutation, caughtBy: [mutation.caughtBy].flat() }));

const INVARIANTS = Array.from({ length: 13 }, (_, index) => index + 1);

/** What is wrong with the list itself, in words. */
export function listProblems(mutations) {
  const names = mutations.map(({ name }) => name);
  return [
    ...names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `two mutations are called "${name}"`),
    ...INVARIANTS.filter((number) => !mutations.some(({ breaks }) => breaks === number)).map(
      (number) => `no mutation breaks invariant ${number}`,
    ),
    ...mutations
      .filter(({ breaks }) => breaks !== 0 && !INVARIANTS.includes(breaks))
      .map(({ name, breaks }) => `"${name}" breaks ${breaks}, which is no invariant`),
  ];
}
