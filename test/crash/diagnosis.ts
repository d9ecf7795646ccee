/**
 * Owns what is said of a point that failed: behind which command, what the ledger has of it, what its workers were given,
 * and what the processes wrote of it.
 */
import { inspect } from "node:util";
import type { Point } from "./point.js";

const LINES = 25;

export async function diagnose(point: Point, error: unknown): Promise<string> {
  const looks = await point.look().catch(() => []);
  const ledger = looks.map(({ namespace, moment }) => ({
    namespace,
    queued: moment.queued,
    hashes: mine(point, moment.hashes),
    zsets: [...moment.zsets],
    sets: [...moment.sets],
  }));
  const workers = point.workers.map(({ id, assigned, offered, stopped, running }) => ({
    id,
    offered,
    assigned: assigned.map(({ wire }) => wire),
    running: [...running.keys()],
    stopped,
  }));
  const ids = looks.flatMap(({ namespace, jobs }) => [namespace, ...jobs.map(({ id }) => id)]);
  const lines = (name: string, output: string) =>
    output
      .split("\n")
      .filter((line) => ids.some((id) => line.includes(id) && id !== "default"))
      .slice(-LINES)
      .map((line) => `  ${name}: ${line}`);
  const { house, victim } = point;
  return [
    `${point.where()}:`,
    error instanceof Error ? error.message : inspect(error),
    `workers ${inspect(workers, { depth: 4, breakLength: 160 })}`,
    `ledger ${inspect(ledger, { depth: 6, breakLength: 160, maxArrayLength: 60 })}`,
    ...lines(`victim ${victim.kind}`, victim.output()),
    ...(["gateway", "dispatcher", "api"] as const).flatMap((kind) => lines(kind, house.twin(kind).output())),
  ].join("\n");
}

/** The default namespace is shared: only what bears this point's number. */
function mine(point: Point, hashes: ReadonlyMap<string, Record<string, string>>) {
  return [...hashes].filter(
    ([key, hash]) =>
      point.zones[0] !== "" ||
      key === "stops" ||
      key === "index" ||
      Object.values(hash).some((value) => value.includes(point.agent)),
  );
}
