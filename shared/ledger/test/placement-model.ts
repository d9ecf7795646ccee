/**
 * Owns the rules of placement that need some arithmetic, written a second time: which session a strategy takes, and what is
 * learnt of a job's cost. Plain where the scripts are quick.
 */

import { createHash } from "node:crypto";

export interface Ranked {
  id: string;
  load: number;
}

const DRAWS = 16;

/** `ranked`: least loaded first. */
export function choose(
  ranked: readonly Ranked[],
  strategy: "spread" | "pack" | "weighted" = "spread",
  words: string,
  takes: (id: string) => boolean,
): string | undefined {
  if (strategy === "weighted") {
    for (let index = 1; index <= DRAWS; index++) {
      const drawn = draw(ranked, `${words}${index}`);
      if (drawn !== undefined && takes(drawn)) return drawn;
    }
  }
  const order = strategy === "pack" ? [...ranked].reverse() : ranked;
  return order.find(({ id }) => takes(id))?.id;
}

function draw(ranked: readonly Ranked[], words: string): string | undefined {
  const digest = createHash("sha1").update(words).digest();
  const drawn = ranked[Math.floor((digest.readUInt32BE(0) / 2 ** 32) * ranked.length)];
  const [least] = ranked;
  if (drawn === undefined || least === undefined) return undefined;
  return (digest.readUInt32BE(4) / 2 ** 32) * (1 - least.load) < 1 - drawn.load ? drawn.id : undefined;
}

/** Sums over points (jobs, load), each counting less with every one that follows. */
export interface Learning {
  weight: number;
  n: number;
  l: number;
  nn: number;
  nl: number;
  last: number | undefined;
  points: number;
}

export const NOTHING_LEARNT: Learning = { weight: 0, n: 0, l: 0, nn: 0, nl: 0, last: undefined, points: 0 };

/** As the scripts write numbers. */
export const six = (value: number) => Number(value.toPrecision(6));

/** What is known after one more sample; `cost` when it says something of it. */
export function learn(
  known: Learning,
  jobs: number,
  load: number,
  believed: number,
): { known: Learning; cost: number | undefined } {
  if (known.last !== jobs) return { known: { ...known, last: jobs, points: 0 }, cost: undefined };
  if (known.points >= 4) return { known, cost: undefined };
  const weight = known.weight * 0.9 + 1;
  const n = known.n * 0.9 + jobs;
  const l = known.l * 0.9 + load;
  const nn = known.nn * 0.9 + jobs * jobs;
  const nl = known.nl * 0.9 + jobs * load;
  const sums = { weight: six(weight), n: six(n), l: six(l), nn: six(nn), nl: six(nl) };
  const next = { ...sums, last: jobs, points: known.points + 1 };
  const spread = nn / weight - (n / weight) ** 2;
  if (spread < 0.2) return { known: next, cost: undefined };
  const slope = (nl / weight - (n / weight) * (l / weight)) / spread;
  const cost = (2 * believed + weight * slope) / (2 + weight);
  return { known: next, cost: six(Math.max(0.005, Math.min(1, cost))) };
}

/** `jobs`: those that are there for a second. */
export function learnLess(jobs: number, load: number, believed: number): number | undefined {
  const seen = 0.4 * jobs;
  if (believed <= 0.005 || seen < 2 || load >= (seen * believed) / 2) return undefined;
  return six(Math.max(0.005, believed + 0.75 * (load / seen - believed)));
}

interface Counted {
  miscount: number;
  miscounts: number;
  surplus: number;
}

/** `difference`: the worker's count less ours. True when it has just been believed, or is over after it was. */
export function compareCounts(session: Counted, difference: number): boolean {
  const wasBelieved = session.miscounts >= 4;
  if (difference === 0) {
    Object.assign(session, { miscount: 0, miscounts: 0, surplus: 0 });
    return wasBelieved;
  }
  session.miscounts = difference === session.miscount ? Math.min(5, session.miscounts + 1) : 1;
  session.miscount = difference;
  if (session.miscounts === 4) session.surplus = Math.max(0, difference);
  return session.miscounts === 4;
}
