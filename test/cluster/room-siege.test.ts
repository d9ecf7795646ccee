/** A siege of rooms that fits into a test run; `npm run siege -- OF=rooms` runs a long one, or this seed again. */
import { expect, it } from "vitest";
import { shortRoomSiege } from "./room-siege/plan.js";
import { roomTableOf } from "./room-siege/report.js";
import { runRoomSiege } from "./room-siege.js";

const SEED = 1;
const LIMIT_MS = 240_000;

it("whoever calls has an agent, and no agent is sent to nobody, under faults of every kind", {
  timeout: LIMIT_MS,
}, async () => {
  const report = await runRoomSiege(shortRoomSiege(SEED));
  process.stdout.write(`\n${roomTableOf(report)}\n`);
  const { violations, lost, leaked, unanswered, calls } = report;
  expect({ violations, lost, leaked, unanswered }).toEqual({
    ...{ violations: [], lost: [], leaked: [], unanswered: [] },
  });
  // It was one: people were served, and some hung up in line.
  expect(calls.served).toBeGreaterThan(50);
  expect(calls.hungUpWaiting).toBeGreaterThan(3);
  expect(report.faults.size).toBeGreaterThan(1);
});
