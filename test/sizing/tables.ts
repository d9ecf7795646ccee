/** Owns how a sizing is written for a reader: a table each, in Markdown, which is read as well where it is printed. */
import { table } from "../simulate/table.js";
import { type Figures, figureGroups, specOf } from "./figures.js";
import type { Machine } from "./machine.js";
import {
  ceilingsOf,
  DISK_FACTOR,
  LIMIT_FACTOR,
  needsOf,
  RETENTIONS_H,
  type ServiceNeeds,
  SOCKETS_SHARE,
} from "./needs.js";
import type { Settings } from "./options.js";

export interface Sizing {
  readonly machine: Machine;
  readonly settings: Settings;
  readonly figures: Figures;
}

const WORKERS = [100, 1_000, 10_000];
const PER_SECOND = [1, 20, 200];
const DAY_S = 86_400;

export type Part = "machine" | "figures" | "ceilings" | "services" | "redis" | "autoscaling";

/** Each part by its name in the guide. */
export function partsOf({ machine, settings, figures }: Sizing): Readonly<Record<Part, string>> {
  return {
    machine: machineLine(machine, settings),
    figures: figureTables(figures),
    ceilings: ceilingTable(figures),
    services: serviceTable(figures, settings.SOCKETS),
    redis: redisTable(figures, settings.SOCKETS),
    autoscaling: autoscalingTable(settings.SOCKETS),
  };
}

function machineLine(machine: Machine, settings: Settings): string {
  const { cores, cpu, memoryGiB, node, redis, date } = machine;
  const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return (
    `Measured on ${date}: ${cores} cores of ${cpu}, ${memoryGiB} GiB of memory, Node ${node.slice(1)}, Redis ${redis}; ` +
    `\`npm run sizing -- ${given.join(" ")}\`.\n`
  );
}

function figureTables(figures: Figures): string {
  return figureGroups()
    .map(({ title, names }) => {
      const rows = names.map((name) => [
        specOf(name).what,
        `${short(figures[name])} ${specOf(name).unit}`.trim(),
      ]);
      return table([title, ""], rows);
    })
    .join("\n");
}

function ceilingTable(figures: Figures): string {
  const rows = ceilingsOf(figures).map(({ process, perSecond, workers }) => [
    process,
    perSecond === undefined ? "–" : short(perSecond, 2),
    workers === undefined ? "–" : short(workers, 2),
  ]);
  return table(["one core of", "dispatches per second", "or workers that report"], rows);
}

function serviceTable(figures: Figures, sockets: number): string {
  const cell = ({ replicas, cpu, memoryMiB }: ServiceNeeds) =>
    `${replicas} × ${cpu}m, ${memoryMiB} → ${LIMIT_FACTOR * memoryMiB} MiB`;
  const rows = eachSize().map(([workers, perSecond]) => {
    const needs = needsOf({ workers, perSecond }, figures, sockets);
    return [whole(workers), String(perSecond), cell(needs.gateway), cell(needs.dispatcher), cell(needs.api)];
  });
  return table(["workers", "dispatches/s", "gateway", "dispatcher", "api"], rows);
}

function redisTable(figures: Figures, sockets: number): string {
  const rows = eachSize().map(([workers, perSecond]) => {
    const { redis } = needsOf({ workers, perSecond }, figures, sockets);
    return [
      whole(workers),
      String(perSecond),
      `${(100 * redis.busy).toFixed(1)} %`,
      String(redis.masters),
      ...RETENTIONS_H.map((hours) => size(redis.dataMiB[hours])),
      ...RETENTIONS_H.map((hours) => size(DISK_FACTOR * redis.dataMiB[hours])),
      size((redis.aofKiBPerS * DAY_S) / 1_024),
    ];
  });
  const head = [
    ...["workers", "dispatches/s", "of a core", "masters"],
    ...RETENTIONS_H.map((hours) => `data, ${hours} h kept`),
    ...RETENTIONS_H.map((hours) => `disk, ${hours} h kept`),
    "written a day",
  ];
  return table(head, rows);
}

function autoscalingTable(sockets: number): string {
  return table(
    ["what is scaled", "by", "target"],
    [
      ["gateway", "`muster_websocket_connections`, mean of a pod", whole(SOCKETS_SHARE * sockets)],
      ["dispatcher", "CPU of the request", "60 %"],
      ["api", "CPU of the request", "60 %"],
    ],
  );
}

function eachSize(): (readonly [workers: number, perSecond: number])[] {
  return WORKERS.flatMap((workers) => PER_SECOND.map((perSecond) => [workers, perSecond] as const));
}

/** Three digits are more than a measurement is good for. */
export function short(value: number, digits = 3): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function size(mib: number): string {
  return mib >= 1_024 ? `${short(mib / 1_024, 2)} GiB` : `${short(mib, 2)} MiB`;
}
