/**
 * Reads values.yaml with its comments. What has a comment that begins with "--" is a value that people set; what has none is
 * a group of values. Everything without a comment of its own or above it is a mistake.
 */

import { isMap, parseDocument } from "yaml";

/** `[{ path: ["image", "tag"], value: "", about: "…" }]`, in the order of the file. */
export function describedValues(text) {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw document.errors[0];
  return within(document.contents, []);
}

function within(map, above) {
  return map.items.flatMap((pair, index) => {
    const path = [...above, pair.key.value];
    // The first comment of a map is the map's own, as the parser sees it.
    const comment = pair.key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? "";
    const about = aboutIn(comment);
    if (about !== undefined) return [{ path, value: pair.value?.toJSON() ?? null, about }];
    if (isMap(pair.value) && pair.value.items.length > 0) return within(pair.value, path);
    throw new Error(`values.yaml: ${path.join(".")} has no comment that begins with "--"`);
  });
}

function aboutIn(comment) {
  const lines = comment.split("\n").map((line) => line.trim());
  const first = lines.findLastIndex((line) => line.startsWith("-- "));
  if (first === -1) return undefined;
  return lines.slice(first).join(" ").slice("-- ".length);
}

/** The table of README.md. */
export function valuesTable(values) {
  const rows = values.map(({ path, value, about }) => {
    const shown = value === "" ? "empty" : `\`${JSON.stringify(value)}\``;
    return `| \`${path.join(".")}\` | ${shown} | ${about} |`;
  });
  return ["| value | default | meaning |", "|---|---|---|", ...rows].join("\n");
}
