/**
 * The long sieges, of jobs and of rooms, one after the other: `npm run siege -- MINUTES=30 SEED=7 STORE=cluster`; OF=jobs or
 * OF=rooms for one of them. Run by vitest, since it shares the sources with
 * the tests. Prints its table, also when something is wrong.
 */
import { expect, it } from "vitest";
import { longRoomSiege } from "./room-siege/plan.js";
import { roomTableOf } from "./room-siege/report.js";
import { runRoomSiege } from "./room-siege.js";
import { longSiege } from "./siege/plan.js";
import { tableOf } from "./siege/report.js";
import { runSiege } from "./siege.js";

const { MINUTES = "30", SEED = String(Date.now() % 1_000_000), STORE = "single", OF = "both" } = process.env;
const SLACK_MS = 600_000;

const minutes = Number(MINUTES);
if (!(minutes > 0)) throw new Error(`MINUTES must be a number above 0, not ${MINUTES}`);
if (!/^\d+$/.test(SEED)) throw new Error(`SEED must be a whole number, not ${SEED}`);
if (STORE !== "single" && STORE !== "cluster")
  throw new Error(`STORE must be single or cluster, not ${STORE}`);
if (OF !== "jobs" && OF !== "rooms" && OF !== "both")
  throw new Error(`OF must be jobs, rooms or both, not ${OF}`);

it.skipIf(OF === "rooms")(
  `holds out for ${minutes} minutes`,
  { timeout: minutes * 60_000 + SLACK_MS },
  async () => {
    const report = await runSiege({ ...longSiege(Number(SEED), minutes), store: STORE });
    process.stdout.write(`\n${tableOf(report)}\n`);
    const { violations, lost, leaked, orders } = report;
    expect({ violations, lost, leaked, unanswered: orders.unanswered }).toEqual({
      violations: [],
      lost: [],
      leaked: [],
      unanswered: 0,
    });
  },
);

it.skipIf(OF === "jobs")(
  `leaves nobody alone for ${minutes} minutes`,
  {
    timeout: minutes * 60_000 + SLACK_MS,
  },
  async () => {
    const report = await runRoomSiege({ ...longRoomSiege(Number(SEED), minutes), store: STORE });
    process.stdout.write(`\n${roomTableOf(report)}\n`);
    const { violations, lost, leaked, unanswered } = report;
    expect({ violations, lost, leaked, unanswered }).toEqual({
      ...{ violations: [], lost: [], leaked: [], unanswered: [] },
    });
  },
);
