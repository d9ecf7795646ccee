/**
 * Owns the question whether a namespace's keys agree with each other: every rule of INVARIANTS.md that can be seen from
 * one moment's content. Reads everything at once, so only between scripts, and never repairs.
 */

import type { StoredSplit } from "@muster/ledger/shapes";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { expect } from "vitest";
import { drainProblems, drainsOf } from "./consistency-drains.js";
import { jobProblems } from "./consistency-jobs.js";
import { sessionProblems } from "./consistency-sessions.js";
import { type Hash, readNamespace, type Snapshot } from "./snapshot.js";

const SINGLE_KEYS = new Set(
  "jobs ended-jobs orders ended-orders sessions gateways pools left-pools brief-pools deadlines stops index events listening held placement costs drains splits".split(
    " ",
  ),
);
const FAMILIES = new Set(
  "job attempts merged session session-jobs pool pool-sessions losses arrivals pools-lost guard reserved ejected parked orphans order order-jobs room-orders pace gateway-sessions gateway-stops split split-good split-bad unheard".split(
    " ",
  ),
);

/** What contradicts what, in words; empty when all agrees. `nowMs` decides which cool-downs are over. */
export function problems(snapshot: Snapshot, nowMs: number): string[] {
  return [
    ...keyProblems(snapshot),
    ...jobProblems(snapshot, nowMs),
    ...orderProblems(snapshot),
    ...timerProblems(snapshot),
    ...sessionProblems(snapshot, nowMs),
    ...drainProblems(snapshot),
    ...splitProblems(snapshot),
  ];
}

export async function assertConsistent(redis: RedisClient, namespace: string, nowMs: number): Promise<void> {
  expect(problems(await readNamespace(redis, namespace), nowMs)).toEqual([]);
}

function keyProblems({ hashes, zsets, sets, lists, volatile }: Snapshot): string[] {
  const found = volatile
    .filter(
      (key) =>
        key !== "listening" &&
        key !== "presence" &&
        !/^(answer-time|join-time|pace|sticky|merged|unheard|losses|arrivals|pools-lost|guard):/.test(key),
    )
    .map((key) => `${key} would expire by itself`);
  for (const key of [...hashes.keys(), ...zsets.keys(), ...sets.keys(), ...lists.keys()]) {
    const family = key.slice(0, Math.max(0, key.indexOf(":")));
    if (!SINGLE_KEYS.has(key) && !FAMILIES.has(family)) found.push(`${key} is no key of the table`);
  }
  // What is on hold waits for a call, and keeps nobody awake.
  const waiting = [...(zsets.get("jobs")?.keys() ?? [])].filter(
    (id) => hashes.get(`job:${id}`)?.held !== "1",
  );
  const isBusy = waiting.length > 0 || zsets.has("sessions");
  if (isBusy && hashes.get("index")?.awake !== "1") found.push("jobs or sessions in a namespace that rests");
  if (!isBusy && hashes.get("index")?.awake !== "1" && volatile.includes("listening"))
    found.push("listened to in a namespace that rests");
  return found;
}

function orderProblems({ hashes, zsets }: Snapshot): string[] {
  const found: string[] = [];
  for (const [key, order] of hashes) {
    if (!key.startsWith("order:")) continue;
    const id = key.slice("order:".length);
    const isLive = order.state === "live";
    if ((zsets.get("orders")?.has(id) ?? false) !== isLive)
      found.push(`${id} is ${order.state}, orders disagrees`);
    if ((zsets.get("ended-orders")?.has(id) ?? false) === isLive) {
      found.push(`${id} is ${order.state}, ended-orders disagrees`);
    }
    if (!zsets.get(`room-orders:${order.room}`)?.has(id))
      found.push(`${id} is not among the orders of its room`);
    if ((order.cause === undefined) !== isLive) found.push(`${id} is ${order.state}, because ${order.cause}`);
    found.push(...awaitingProblems(id, order, zsets));
    if (order.one_life === "1" && !order.room_sid) found.push(`${id} is for one life, and knows of none`);
    const jobs = [...(zsets.get(`order-jobs:${id}`)?.values() ?? [])];
    if (isLive && order.open !== "1" && jobs.length > 0 && !jobs.includes(0)) {
      found.push(`${id} is live and all its jobs ended`);
    }
  }
  for (const list of [...zsets.keys()].filter((key) => /^(orders|ended-orders|room-orders:.*)$/s.test(key))) {
    for (const id of zsets.get(list)?.keys() ?? []) {
      if (!hashes.has(`order:${id}`)) found.push(`${list} lists ${id}, which is gone`);
    }
  }
  for (const [key, members] of zsets) {
    if (!key.startsWith("order-jobs:")) continue;
    const order = hashes.get(`order:${key.slice("order-jobs:".length)}`);
    if (order === undefined) found.push(`${key} outlived its order`);
    // An open one keeps in mind for whom it made a job that is forgotten.
    for (const [id, endedAt] of members)
      if (!hashes.has(`job:${id}`) && (order?.open !== "1" || endedAt === 0))
        found.push(`${key} lists ${id}, which is gone`);
  }
  return found;
}

/** Open, bound to no life of its room and without live jobs: then, and only then, its own timer ends it. */
function awaitingProblems(id: string, order: Hash, zsets: Snapshot["zsets"]): string[] {
  const jobs = [...(zsets.get(`order-jobs:${id}`)?.values() ?? [])];
  const isBound = order.room_sid !== undefined || order.held !== undefined;
  const awaits = order.state === "live" && order.open === "1" && !isBound && !jobs.includes(0);
  const due = Number(order.released_at ?? order.created_at) + Number(order.wait_ms);
  const timer = zsets.get("deadlines")?.get(`order|${id}`);
  return timer === (awaits ? due : undefined) ? [] : [`${id}: its wait for its room ends at ${timer}`];
}

function splitOf(hashes: Snapshot["hashes"], agent: string): StoredSplit | undefined {
  const text = hashes.get("splits")?.[agent];
  return text === undefined ? undefined : (JSON.parse(text) as StoredSplit);
}

/** What is counted is of a split that is there, and a candidate that is on has not been found bad. */
function splitProblems({ hashes, zsets }: Snapshot): string[] {
  const found: string[] = [];
  for (const key of [...hashes.keys(), ...zsets.keys()]) {
    const [, kind, agent = ""] = /^(split|split-good|split-bad):(.*)$/s.exec(key) ?? [];
    if (kind !== undefined && splitOf(hashes, agent) === undefined) found.push(`${key} is of no split`);
  }
  for (const agent of Object.keys(hashes.get("splits") ?? {})) {
    const good = zsets.get(`split-good:${agent}`) ?? new Map();
    const bad = zsets.get(`split-bad:${agent}`) ?? new Map();
    if (good.size + bad.size > 100) found.push(`more is kept of the split of ${agent} than it is judged by`);
    for (const id of good.keys()) if (bad.has(id)) found.push(`${id} was good and bad`);
  }
  return found;
}

function timerProblems({ hashes, zsets }: Snapshot): string[] {
  const found: string[] = [];
  const timers = zsets.get("deadlines") ?? new Map<string, number>();
  const isKept = zsets.has("ended-jobs") || zsets.has("ended-orders");
  if (timers.has("sweep") !== isKept)
    found.push(`sweep timer: ${timers.has("sweep")}, things to sweep: ${isKept}`);
  for (const timer of timers.keys()) {
    const [kind = "", id = ""] = [timer.replace(/\|.*$/, ""), timer.replace(/^[^|]*\|/, "")];
    const isWanted = {
      order: () => hashes.get(`order:${id}`)?.state === "live",
      job: () => {
        const { state, left_at: leftAt, participant_sid: sid } = hashes.get(`job:${id}`) ?? {};
        if (state === "running") return leftAt !== undefined || sid === undefined;
        return state !== "ended" && state !== undefined;
      },
      stop: () => hashes.get("stops")?.[id] !== undefined,
      session: () => hashes.has(`session:${id}`) || drainsOf(hashes).some(({ value }) => value === id),
      gateway: () => zsets.get("gateways")?.has(id) ?? false,
      split: () => splitOf(hashes, id)?.rolled_back_at !== undefined,
      sweep: () => isKept,
    }[kind];
    if (!isWanted?.()) found.push(`timer ${timer} has nothing to wait for`);
  }
  return found;
}
