/** Owns the bounds that a trial must keep, and how a broken one is told. */
import type { LineFigures } from "./honest/line.js";
import type { TrafficFigures } from "./honest/traffic.js";
import type { Trial } from "./trial.js";

const TIMES_SLOWER = 5;
const LOGGED_KIB_PER_S = 64;
const LINES = ["orders", "livekit", "streams"] as const satisfies (keyof TrafficFigures)[];

/** What must not be and was, in words; empty: it holds. `floorMs`: below it nothing is called slow. */
export function problemsOf(trial: Trial, floorMs: number): string[] {
  const { before, during, findings, fallen, bugs, traces, loggedKiBPerS } = trial;
  const problems = [...fallen, ...findings.broken];
  for (const name of LINES) problems.push(...lineProblems(name, before[name], during[name], floorMs));
  if (during.cut > 0) problems.push(`${during.cut} honest sockets were cut`);
  if (bugs.length > 0)
    problems.push(`${bugs.length} errors in the logs, the first ${bugs[0]?.slice(0, 300)}`);
  if (traces.length > 0) problems.push(`${traces.length} keys in Redis are not honest, as ${traces[0]}`);
  if (loggedKiBPerS > LOGGED_KIB_PER_S) problems.push(`the logs grew by ${Math.round(loggedKiBPerS)} KiB/s`);
  return problems;
}

function lineProblems(name: string, before: LineFigures, during: LineFigures, floorMs: number): string[] {
  const mostMs = Math.max(floorMs, TIMES_SLOWER * before.p99Ms);
  const { lost, refused, refusal, p99Ms, served } = during;
  return [
    ...(served === 0 ? [`${name}: none was served`] : []),
    ...(lost > 0 ? [`${name}: ${lost} lost`] : []),
    ...(refused > 0 ? [`${name}: ${refused} refused, the last with ${refusal}`] : []),
    ...(p99Ms > mostMs ? [`${name}: p99 of ${Math.round(p99Ms)} ms, above ${Math.round(mostMs)} ms`] : []),
  ];
}
