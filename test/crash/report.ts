/** Owns the table in which a suite says what it tried. */
import type { Row } from "./operation.js";

const HEAD = ["operation", "fate", "points", "recovered", "worst ms", "at command"];

export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.operation,
    row.fate,
    String(row.tried),
    String(row.recovered),
    String(row.worstMs),
    row.worstAt,
  ]);
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  const write = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const paths = rows.map(({ operation, fate, commands }) => `${operation}, ${fate}: ${commands.join(" > ")}`);
  return [HEAD, widths.map((width) => "-".repeat(width)), ...cells].map(write).concat(paths).join("\n");
}
