/**
 * Owns what a trace is, the jobs that arrive and when, and how a recorded one is read: one JSON object a line. A recording
 * comes from outside: it is bounded, and what does not fit is refused with the line and the field that are wrong.
 */

export interface TracedJob {
  /** When it is asked for, from the start of the trace. */
  readonly atMs: number;
  /** How long it runs once it started. */
  readonly durationMs: number;
  /** Load that it costs a worker of speed 1. */
  readonly cost: number;
  /** 0–1000, higher first. */
  readonly priority: number;
}

export const MAX_JOBS = 200_000;
export const DAY_MS = 86_400_000;
const MAX_LINE_BYTES = 1_024;

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
  /** When the field is absent; without it the field must be there. */
  readonly absent?: "cost" | 0;
}

const FIELDS: Readonly<Record<string, Bounds>> = {
  at_ms: { min: 0, max: DAY_MS, isWhole: true },
  duration_ms: { min: 1, max: DAY_MS, isWhole: true },
  cost: { min: 0, max: 1, isWhole: false, absent: "cost" },
  priority: { min: 0, max: 1_000, isWhole: true, absent: 0 },
};

export class TraceError extends Error {
  override readonly name = "TraceError";
}

/** The jobs of a recording, in order of arrival. `cost`: of a job that says none. Throws TraceError at the first wrong line. */
export function readTrace(text: string, cost: number): TracedJob[] {
  const jobs: TracedJob[] = [];
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const where = `line ${index + 1}`;
    if (Buffer.byteLength(line) > MAX_LINE_BYTES)
      throw new TraceError(`${where}: longer than ${MAX_LINE_BYTES} bytes`);
    if (jobs.length === MAX_JOBS) throw new TraceError(`${where}: more than ${MAX_JOBS} jobs`);
    const fields = objectOf(line, where);
    const read = (name: string) => numberOf(fields, name, where, cost);
    jobs.push({
      atMs: read("at_ms"),
      durationMs: read("duration_ms"),
      cost: read("cost"),
      priority: read("priority"),
    });
  });
  if (jobs.length === 0) throw new TraceError("line 1: no job in the whole trace");
  return inOrder(jobs);
}

export function inOrder(jobs: readonly TracedJob[]): TracedJob[] {
  return [...jobs].sort((a, b) => a.atMs - b.atMs);
}

/** When the last job would end, had each started at once. */
export function traceEndMs(trace: readonly TracedJob[]): number {
  return trace.reduce((end, { atMs, durationMs }) => Math.max(end, atMs + durationMs), 0);
}

function objectOf(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new TraceError(`${where}: not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TraceError(`${where}: must be an object such as {"at_ms": 0, "duration_ms": 60000}`);
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(FIELDS, name));
  if (unknown !== undefined) {
    const known = Object.keys(FIELDS).join(", ");
    throw new TraceError(`${where}: ${JSON.stringify(unknown)} is no field of a job; known are ${known}`);
  }
  return value as Record<string, unknown>;
}

function numberOf(fields: Record<string, unknown>, name: string, where: string, cost: number): number {
  const { min, max, isWhole, absent } = FIELDS[name] as Bounds;
  const value = fields[name];
  if (value === undefined && absent !== undefined) return absent === "cost" ? cost : absent;
  const fits = typeof value === "number" && value >= min && value <= max;
  if (!fits || (isWhole && !Number.isInteger(value))) {
    throw new TraceError(
      `${where}: ${name}: must be a ${isWhole ? "whole " : ""}number from ${min} to ${max}`,
    );
  }
  return value;
}
