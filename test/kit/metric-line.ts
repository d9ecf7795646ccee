/** Reads one line of what a process says at /metrics. */

/** The value of `muster_<line>`, given with its labels as they are written there; NaN when there is none. */
export function metricIn(text: string, line: string): number {
  const found = text.split("\n").find((one) => one.startsWith(`muster_${line} `));
  return Number(found?.split(" ").at(-1) ?? Number.NaN);
}
