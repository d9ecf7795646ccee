/** Owns how a sizing is written for a reader: a table each, in Markdown, which is read as well where it is printed. */
import { table } from "../simulate/table.js";
import { type Figures, figureGroups, specOf } from "./figures.js";
import type { Machine } from "./machine.js";
import {
  BUSY,
  ceilingsOf,
  DISK_FACTOR,
  JOB_S,
  LIMIT_FACTOR,
  MEMORY_MARGIN,
  MIN_REPLICAS,
  needsOf,
  RETENTIONS_H,
  type ServiceNeeds,
  SOCKETS_SHARE,
  WAIT_S,
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

export type Part = "machine" | "services" | "assumptions" | "ceilings" | "redis" | "autoscaling" | "figures";

/** Each part by its name in the guide. */
export function partsOf({ machine, settings, figures }: Sizing): Readonly<Record<Part, string>> {
  return {
    machine: machineLine(machine, settings),
    services: serviceTable(figures, settings.SOCKETS),
    assumptions: assumptions(settings.SOCKETS),
    ceilings: ceilingTable(figures),
    redis: redisTable(figures, settings.SOCKETS),
    autoscaling: scaledObject(settings.SOCKETS),
    figures: figureTables(figures),
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

/** As KEDA reads it; two pods stay, whatever it says. */
function scaledObject(sockets: number): string {
  return [
    "```yaml",
    "apiVersion: keda.sh/v1alpha1",
    "kind: ScaledObject",
    "metadata:",
    "  name: muster-gateway",
    "spec:",
    "  scaleTargetRef:",
    "    name: muster-gateway",
    `  minReplicaCount: ${MIN_REPLICAS}`,
    "  maxReplicaCount: 20",
    "  advanced:",
    "    horizontalPodAutoscalerConfig:",
    "      behavior:",
    "        scaleDown:",
    "          stabilizationWindowSeconds: 1800",
    "          policies: [{ type: Pods, value: 1, periodSeconds: 600 }]",
    "  triggers:",
    "    - type: prometheus",
    "      metadata:",
    "        serverAddress: http://prometheus:9090",
    "        query: sum(muster_websocket_connections)",
    `        threshold: "${Math.round(SOCKETS_SHARE * sockets)}"`,
    '        ignoreNullValues: "false"',
    "```",
    "",
  ].join("\n");
}

function assumptions(sockets: number): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  return [
    "* One process of each service is away, and the others do it all: whole cores and gateways are counted without it.",
    `* A process, and Redis, is busy for at most ${percent(BUSY)} of a core. CPU is a request, for each.`,
    `* Memory is what was measured and ${percent(MEMORY_MARGIN - 1)} on top; the limit is ${LIMIT_FACTOR} times the request.`,
    `* A gateway holds at most ${whole(sockets)} workers, as many as were measured on one.`,
    `* Jobs take ${JOB_S} s. Redis has room for those of ${WAIT_S} s that all wait at once, with 1 KiB of metadata each.`,
    `* The append-only file is rewritten when it has doubled, beside the old one: ${DISK_FACTOR} times the data.`,
    "",
  ].join("\n");
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
