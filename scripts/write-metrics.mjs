/**
 * Writes the table of metrics into docs/WATCHING.md, between its two marks, from runtime's list. The words are there; a test
 * holds the page against it.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { METRIC_PREFIX, METRICS, OPEN } from "../shared/runtime/dist/metric-names.js";
import { root } from "./lib/run.mjs";

const [BEGIN, END] = ["<!-- metrics: written by `npm run docs` -->", "<!-- /metrics -->"];
/** `node scripts/write-metrics.mjs [page]` */
const page = process.argv[2] ?? `${root}docs/WATCHING.md`;

function labelsOf({ labels }) {
  const described = Object.entries(labels).map(([name, values]) =>
    values === OPEN ? `\`${name}\`` : `\`${name}\`: ${values.join(", ")}`,
  );
  return described.length === 0 ? "–" : described.join("; ");
}

const rows = Object.entries(METRICS).map(([name, spec]) => {
  const buckets = spec.buckets === undefined ? "" : ` Buckets: ${spec.buckets.join(", ")}.`;
  return `| \`${METRIC_PREFIX}${name}\` | ${spec.type} | ${labelsOf(spec)} | ${spec.help}${buckets} |`;
});
const table = ["| metric | type | labels | |", "|---|---|---|---|", ...rows].join("\n");
const text = readFileSync(page, "utf8");
const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
if (from < 0 || to < from) throw new Error(`${page} has not the lines ${BEGIN} and ${END}, in this order`);
writeFileSync(page, `${text.slice(0, from)}${BEGIN}\n\n${table}\n\n${text.slice(to)}`);
