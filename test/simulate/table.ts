/** Owns the tables that a simulation prints. */
import type { Outcome } from "./compare.js";

const HEAD = [
  "strategy",
  "accepted",
  "dropped",
  "waiting",
  "refusals",
  "wait p50 ms",
  "p99 ms",
  "max ms",
  "burst max/mean",
  "max/mean",
  "above target s",
  "share",
  "above 1 s",
  "peak load",
];

export function comparisonTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, figures: f }) => [
    name,
    String(f.accepted),
    String(f.dropped),
    String(f.waiting),
    String(f.rejections),
    String(f.waitMs.p50),
    String(f.waitMs.p99),
    String(f.waitMs.max),
    f.burstImbalance?.toFixed(2) ?? "–",
    f.imbalance?.toFixed(2) ?? "–",
    f.overloadS.toFixed(0),
    `${(100 * f.overloadShare).toFixed(2)} %`,
    f.saturatedS.toFixed(0),
    f.peakLoad.toFixed(2),
  ]);
  return table(HEAD, rows);
}

/** Markdown, which is read as well where it is only printed: the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const write = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [write(head), `| ${rule.join(" | ")} |`, ...rows.map(write), ""].join("\n");
}
