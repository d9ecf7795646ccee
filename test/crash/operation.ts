/**
 * Owns trying one operation at every point where it can break off: behind its first command to Redis, behind its second,
 * and so on until none is left to strike at, each point with a process and a namespace of its own. A command that is
 * added to the operation is a point more by itself.
 */
import { waitUntil } from "../kit/wait-until.js";
import { diagnose } from "./diagnosis.js";
import type { House } from "./house.js";
import { Point } from "./point.js";
import { conclude } from "./verdict.js";
import type { Strike, Victim } from "./victim.js";

/** What befalls it, and, where somebody waits for an answer, what they do then. */
export type Fate = "reply lost" | "killed" | "killed, repeated" | "killed, not repeated";
/** `answered`: whoever asked was told that it is done, so nobody has a reason to ask again. */
export type Situation = Fate | "answered";

export interface Operation<Scene> {
  name: string;
  fates: readonly Fate[];
  /** What is there before; its commands are nobody's points. */
  prepare(point: Point): Promise<Scene>;
  /** Sets it going. Rejects when its caller got no answer. */
  act(point: Point, scene: Scene): Promise<void>;
  /** Resolves once all is as it would be without the blow. */
  outcome(point: Point, scene: Scene, situation: Situation): Promise<void>;
  /** What must be possible then; its commands are nobody's points. */
  afterwards?(point: Point, scene: Scene): Promise<void>;
}

export interface Row {
  operation: string;
  fate: Fate;
  tried: number;
  recovered: number;
  worstMs: number;
  /** The command at which the worst one was struck. */
  worstAt: string;
  /** All of its commands, as far as they were seen. */
  commands: readonly string[];
  failures: string[];
}

/** All commands of an operation have been seen once nothing came for this long. */
const QUIET_MS = 200;

/** One row for each fate. `points` gets those that are done, for the look at what they leave. */
export async function tryEverywhere<Scene>(
  house: House,
  operation: Operation<Scene>,
  points: Point[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const fate of operation.fates) {
    const row: Row = {
      ...{ operation: operation.name, fate, tried: 0, recovered: 0 },
      ...{ worstMs: 0, worstAt: "", commands: [], failures: [] },
    };
    for (let first = 1, isOver = false; !isOver; first += house.victims.length) {
      await house.restartVictims();
      const round = house.victims.map((victim, index) =>
        tryOnce(house, operation, { victim, fate, n: first + index, points, row }),
      );
      const struck = await Promise.all(round);
      house.noteTried();
      isOver = struck.includes(false);
    }
    rows.push(row);
  }
  return rows;
}

interface Try {
  victim: Victim;
  fate: Fate;
  n: number;
  points: Point[];
  row: Row;
}

/** Resolves with whether there was an n-th command to strike at. */
async function tryOnce<Scene>(
  house: House,
  operation: Operation<Scene>,
  { victim, fate, n, points, row }: Try,
): Promise<boolean> {
  const point = new Point(house, victim);
  let strike: Strike | undefined;
  point.where = () => `${operation.name}, ${fate} at command ${n} (${strike?.commands.join(", ") ?? ""})`;
  try {
    const scene = await operation.prepare(point);
    strike = victim.strike(fate === "reply lost" ? fate : "killed", n);
    await strikeAt(operation, point, scene, strike, fate);
    const tookMs = Math.round(performance.now() - strike.atMs);
    // What is cleaned up behind it is no part of it.
    strike.cancel();
    await operation.afterwards?.(point, scene);
    await conclude(point);
    points.push(point);
    if (!strike.hasStruck) return false;
    row.recovered += 1;
    if (tookMs >= row.worstMs) Object.assign(row, { worstMs: tookMs, worstAt: strike.commands.at(-1) });
  } catch (error) {
    row.failures.push(await diagnose(point, error));
    await point.close();
  } finally {
    strike?.cancel();
    if (strike?.hasStruck) row.tried += 1;
    if ((strike?.commands.length ?? 0) > row.commands.length) row.commands = strike?.commands ?? [];
  }
  return strike?.hasStruck ?? false;
}

/** Lets it run until it was struck, or is over without, and then until all is as it should be. */
async function strikeAt<Scene>(
  operation: Operation<Scene>,
  point: Point,
  scene: Scene,
  strike: Strike,
  fate: Fate,
): Promise<void> {
  const acting = operation.act(point, scene);
  const outcome = acting.then(() => operation.outcome(point, scene, "answered"));
  const isOver = outcome.then(() => quiet(strike)).catch((error) => rethrowUnless(strike, error));
  // Told when it is waited for; until then it is no more than what the blow did to it.
  outcome.catch(() => {});
  await Promise.race([strike.done, isOver]);
  if (!strike.hasStruck) return;
  await strike.done;
  point.house.replaceSoon(point.victim);
  const isAnswered = await acting.then(
    () => true,
    (error: unknown) => {
      // A process that lost one reply still has an answer for its caller.
      if (fate === "reply lost") throw error;
      return false;
    },
  );
  await (isAnswered ? outcome : operation.outcome(point, scene, fate));
}

async function rethrowUnless(strike: Strike, error: unknown): Promise<void> {
  if (!strike.hasStruck) throw error;
  await strike.done;
}

async function quiet(strike: Strike): Promise<void> {
  let seen = -1;
  let sinceMs = 0;
  await waitUntil("the operation issues no more commands", () => {
    if (strike.hasStruck) return true;
    if (seen !== strike.commands.length) {
      seen = strike.commands.length;
      sinceMs = performance.now();
    }
    return performance.now() - sinceMs >= QUIET_MS;
  });
}
