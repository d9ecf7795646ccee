/**
 * Owns what must hold behind every crash, whatever was tried: the ledger agrees with itself, each order is over as it
 * should be, nothing is held, owed or queued that nobody needs, and namespaces that nobody uses go to rest.
 */
import { expect } from "vitest";
import { problems } from "../../shared/ledger/test/consistency.js";
import type { Moment } from "../cluster/snapshot-at-once.js";
import { waitUntil } from "../kit/wait-until.js";
import { diagnose } from "./diagnosis.js";
import type { Look, Point } from "./point.js";

/** The stop of a worker that cannot be reached is waited for; an entry that nobody finished comes back after its lock. */
const REST_LIMIT_MS = 60_000;

/** A command whose reply was lost is sent again on the next connection, within this time. */
const LATE_MS = 500;

export interface Expected {
  /** Jobs of the room: one in each namespace. */
  jobs: number;
  /** Times that any worker was given one, in all. */
  assigned: number;
  outcome?: string;
}

/** Polled until it holds: throws what differs. */
export async function expectRoom(point: Point, room: string, expected: Expected): Promise<void> {
  const { jobs, orders } = await point.ledgerOf(room);
  expect(jobs, "jobs").toHaveLength(expected.jobs);
  expect(new Set(orders.map(({ id }) => id)).size, "orders").toBe(Math.min(1, expected.jobs));
  expect(point.assigned(room), "assignments").toHaveLength(expected.assigned);
  if (expected.outcome === undefined) return;
  expect(
    jobs.map(({ state, outcome }) => `${state} ${outcome}`),
    "ends",
  ).toEqual(jobs.map(() => `ended ${expected.outcome}`));
  expect(orders.filter(({ state }) => state === "live")).toEqual([]);
}

/** Ends what still runs, and waits until the ledger has it. Nothing more is assigned, before or behind it. */
export async function conclude(point: Point): Promise<void> {
  const counts = () => point.workers.map(({ assigned }) => assigned.length);
  const [before, sinceMs] = [counts(), performance.now()];
  const invariant = () => expect(counts(), "assignments of each worker").toEqual(before);
  await point.until("what was sent twice has arrived", () => performance.now() - sinceMs >= LATE_MS, {
    invariant,
  });
  for (const worker of point.workers) for (const wire of [...worker.running.keys()]) worker.finish(wire);
  const isOver = async () => {
    const looks = await point.look();
    expect(looks.flatMap(contradictions)).toEqual([]);
    expect(looks.flatMap(({ jobs }) => jobs.filter(({ state }) => state !== "ended"))).toEqual([]);
    return true;
  };
  await point.until("every job of the point is over", isOver, { invariant });
}

/** Once all workers are gone: every namespace of these points rests, and nothing is left in it. */
export async function expectRest(points: readonly Point[]): Promise<string[]> {
  await Promise.all(points.map((point) => point.close()));
  const failures = points.map(async (point) => {
    try {
      await waitUntil(
        "its namespaces rest",
        async () => {
          expect((await point.look()).flatMap(leftovers)).toEqual([]);
          return true;
        },
        { deadlineMs: REST_LIMIT_MS, everyMs: 500 },
      );
      return "";
    } catch (error) {
      return diagnose(point, error);
    }
  });
  return (await Promise.all(failures)).filter((failure) => failure !== "");
}

/** What the ledger says against itself, in one moment. */
function contradictions({ namespace, moment }: Look): string[] {
  return problems(moment, moment.atMs).map((problem) => `${namespace}: ${problem}`);
}

function leftovers(look: Look): string[] {
  const { namespace, moment } = look;
  const found = contradictions(look);
  const note = (what: string) => found.push(`${namespace}: ${what}`);
  if (moment.queued > 0) note(`${moment.queued} entries in the queue`);
  if (moment.hashes.get("index")?.awake !== undefined) note("it does not rest");
  for (const key of membersLeft(moment)) note(`${key} is left`);
  for (const timer of moment.zsets.get("deadlines")?.keys() ?? [])
    if (timer !== "sweep") note(`timer ${timer} is left`);
  return found;
}

function membersLeft({ zsets, sets, hashes }: Moment): string[] {
  const families =
    /^(jobs|sessions|gateways|orders|stops|session:|session-jobs:|parked:|pool:|orphans:|gateway-)/;
  return [...zsets.keys(), ...sets.keys(), ...hashes.keys()].filter((key) => families.test(key));
}
