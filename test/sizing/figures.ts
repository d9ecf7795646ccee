/**
 * Owns the list of what is measured: a figure's name, unit, meaning and sign, in the order in which a reader wants them.
 * Data only; who measures a figure has it from here, so that none can be forgotten or made up.
 */

/** As both SDKs report their load. */
export const REPORT_EVERY_S = 2.5;

interface FigureSpec {
  readonly unit: string;
  readonly what: string;
  /** `positive`: counted, so a measurement without it is none. `difference`: of two readings, and below 0 it is noise. */
  readonly sign: "positive" | "difference";
}

const positive = (unit: string, what: string): FigureSpec => ({ unit, what, sign: "positive" });
const difference = (unit: string, what: string): FigureSpec => ({ unit, what, sign: "difference" });

/** What is told of each rate at which dispatches were sent. */
const dispatchesAt = <R extends string>(rate: R) =>
  ({
    [`${rate}GatewayCpu`]: difference("ms", "gateway: CPU per dispatch"),
    [`${rate}DispatcherCpu`]: difference("ms", "dispatcher: CPU per dispatch"),
    [`${rate}ApiCpu`]: difference("ms", "api: CPU per dispatch"),
    [`${rate}RedisCpu`]: difference("ms", "Redis: CPU per dispatch"),
    [`${rate}Commands`]: positive("", "Redis: commands issued to it per dispatch, over the job's whole life"),
    [`${rate}RedisBytes`]: positive("B", "Redis: bytes to and from it per dispatch"),
    [`${rate}AofBytes`]: positive("B", "Redis: bytes of append-only file per dispatch"),
    [`${rate}P50`]: positive("ms", "from the order to the assignment, by the services' histogram, p50"),
    [`${rate}P99`]: positive("ms", "the same, p99"),
    [`${rate}ClientP50`]: positive(
      "ms",
      "from when a call was due to when the worker had it, by the caller's clock, p50",
    ),
    [`${rate}ClientP99`]: positive("ms", "the same, p99"),
  }) as Record<`${R}${DispatchFigure}`, FigureSpec>;

export type DispatchFigure =
  | `${"Gateway" | "Dispatcher" | "Api" | "Redis"}Cpu`
  | "Commands"
  | "RedisBytes"
  | "AofBytes"
  | `${"" | "Client"}P${50 | 99}`;

const GROUPS = {
  "Idle workers": {
    gatewayBaseRss: positive("MiB", "gateway: RSS without a worker"),
    gatewayRss: difference("KiB", "gateway: RSS per worker, with what its reports leave to be collected"),
    gatewayHeap: difference("KiB", "gateway: JavaScript heap in use per worker, after a collection"),
    gatewayIdleCpu: difference("ms/s", "gateway: CPU per 1,000 workers that say nothing"),
    gatewayReportCpu: difference("ms", "gateway: CPU per load report"),
    redisWorkerMemory: positive("B", "Redis: memory per registered worker"),
    redisReportCpu: difference("ms", "Redis: CPU per load report"),
    redisWorkerBytes: positive("B/s", "Redis: bytes to and from it per worker that reports every 2.5 s"),
  },
  "A gateway is killed, and its workers come to another": {
    stormSeconds: positive("s", "until every worker was registered; 2 s of it the SDKs' own pause"),
    stormGatewayCpu: difference("ms", "the other gateway: CPU per worker that came"),
    stormRedisCpu: positive("ms", "Redis: CPU per worker that came"),
    stormPeakRss: difference("KiB", "the other gateway: highest RSS per worker meanwhile"),
  },
  "50 dispatches per second": dispatchesAt("slow"),
  "200 dispatches per second": dispatchesAt("fast"),
  "As many as go": {
    saturatedRate: positive("/s", "dispatches per second, with everything on this machine"),
    gatewayPeakRss: positive("MiB", "gateway: highest RSS in all of this"),
    dispatcherPeakRss: positive("MiB", "dispatcher: highest RSS in all of this"),
    apiPeakRss: positive("MiB", "api: highest RSS in all of this"),
  },
  "Memory of Redis": {
    redisBaseMemory: positive("MiB", "with the services and nothing else"),
    redisRunningMemory: positive("B", "per running job, with its order"),
    redisParkedMemory: positive("B", "per waiting job with 1 KiB of metadata, with its order"),
    redisEndedMemory: positive("B", "per ended job that is kept, with its order"),
    redisAwakeMemory: positive("B", "per namespace that is awake, with its one worker"),
    redisRestingMemory: positive("B", "per namespace that rests, its agent remembered"),
  },
  "Namespaces that are awake and idle, with one worker each": {
    dispatcherNamespaceRss: difference("KiB", "dispatcher: RSS per namespace"),
    dispatcherNamespaceCpu: difference("ms/s", "dispatcher: CPU per 1,000 of them"),
    gatewayNamespaceCpu: difference("ms/s", "gateway: CPU per 1,000 of them"),
    redisNamespaceCpu: difference("ms/s", "Redis: CPU per 1,000 of them"),
    dispatcherNamespacesScrape: positive("ms", "dispatcher: time of a scrape of /metrics with all of them"),
  },
  "Scrapes of /metrics": {
    gatewayScrapeCpu: difference("ms", "gateway: CPU per scrape"),
    gatewayScrapeSize: positive("KiB", "gateway: size"),
    dispatcherScrapeCpu: difference("ms", "dispatcher: CPU per scrape"),
    dispatcherScrapeSize: positive("KiB", "dispatcher: size"),
    apiScrapeCpu: difference("ms", "api: CPU per scrape"),
    apiScrapeSize: positive("KiB", "api: size"),
  },
} as const satisfies Record<string, Record<string, FigureSpec>>;

type Groups = typeof GROUPS;
export type FigureName = { [T in keyof Groups]: keyof Groups[T] & string }[keyof Groups];
export type Figures = Readonly<Record<FigureName, number>>;

const FIGURES = Object.assign({}, ...Object.values(GROUPS)) as Readonly<Record<FigureName, FigureSpec>>;
const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** In the order in which a reader wants them. */
export function figureGroups(): { title: string; names: FigureName[] }[] {
  return Object.entries(GROUPS).map(([title, group]) => ({
    title,
    names: Object.keys(group) as FigureName[],
  }));
}

export function specOf(name: FigureName): FigureSpec {
  return FIGURES[name];
}

/** What is wrong with a set of figures: those that are missing, no numbers, or of a sign that they cannot have. */
export function problemsOf(figures: Partial<Record<string, number>>): string[] {
  const problems = FIGURE_NAMES.flatMap((name) => {
    const value = figures[name];
    if (value === undefined) return [`${name} is missing`];
    const isFine = Number.isFinite(value) && (specOf(name).sign === "positive" ? value > 0 : value >= 0);
    return isFine ? [] : [`${name} is ${value}`];
  });
  const unknown = Object.keys(figures).filter((name) => !Object.hasOwn(FIGURES, name));
  return [...problems, ...unknown.map((name) => `${name} is no figure`)];
}

/** A difference of two readings; below nothing it is noise. */
export function atLeastNothing(value: number): number {
  return Math.max(0, value);
}
