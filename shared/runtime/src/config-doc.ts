/**
 * Owns what a configuration schema says about itself: names, defaults and meanings, as the table that --help prints and
 * that a test holds the documentation against.
 */
import { z } from "zod";

/** `workerLivekitUrl` → `MUSTER_WORKER_LIVEKIT_URL`. */
export function variableName(key: string, envPrefix: string): string {
  return envPrefix + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** A Markdown table with one line per setting, in the schema's order. Every field must `.describe()` itself. */
export function documentedTable(schema: z.ZodObject, envPrefix = "MUSTER_"): string {
  const rows = Object.keys(schema.shape).map((key) => [
    `\`${variableName(key, envPrefix)}\``,
    `\`${key}\``,
    defaultOf(schema, key),
    describeField(schema, key).replaceAll("|", "\\|"),
  ]);
  return [["variable", "key in the file", "default", "meaning"], ["---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

export function describeField(schema: z.ZodObject, key: string): string {
  return layers(schema, key).find((layer) => layer.description !== undefined)?.description ?? "";
}

/** True for fields made with `.meta({ secret: true })`: their values are printed nowhere. */
export function isSecret(schema: z.ZodObject, key: string): boolean {
  return layers(schema, key).some((layer) => layer.meta()?.secret === true);
}

function defaultOf(schema: z.ZodObject, key: string): string {
  for (const layer of layers(schema, key)) {
    if (layer instanceof z.ZodDefault || layer instanceof z.ZodPrefault) {
      const value: unknown = layer.def.defaultValue;
      if (isSecret(schema, key)) return "(set)";
      if (value === "") return "empty";
      return `\`${value instanceof Map ? "{}" : typeof value === "string" ? value : JSON.stringify(value)}\``;
    }
    if (layer instanceof z.ZodOptional) return "–";
  }
  return "required";
}

/** The field and what it wraps: default(optional(pipe(…))) from the outside in. */
function layers(schema: z.ZodObject, key: string): z.ZodType[] {
  const found: z.ZodType[] = [];
  let layer: unknown = schema.shape[key];
  while (layer instanceof z.ZodType) {
    found.push(layer);
    if (layer instanceof z.ZodPipe) layer = layer.def.out;
    else layer = "innerType" in layer.def ? layer.def.innerType : undefined;
  }
  return found;
}
