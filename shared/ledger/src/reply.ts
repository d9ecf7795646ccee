/**
 * Turns the array that a script answers into the union that its header declares. A reply that does not fit is a bug
 * of ours (script and wrapper are generated from one header), so it throws InvariantError.
 */

import { InvariantError } from "@muster/domain/assert";

type FieldType = "string" | "int" | "float" | "hash" | "strings" | "json";
export type ReplyShape = Readonly<Record<string, readonly (readonly [name: string, type: FieldType])[]>>;

export function parseReply<T extends { status: string }>(script: string, raw: unknown, shape: ReplyShape): T {
  if (!Array.isArray(raw)) throw new InvariantError(`script ${script} answered no array`);
  const [status, ...values] = raw as unknown[];
  const fields = typeof status === "string" ? shape[status] : undefined;
  if (fields === undefined) throw new InvariantError(`script ${script} answered an undeclared status`);
  const reply: Record<string, unknown> = { status };
  fields.forEach(([name, type], index) => {
    reply[name] = readField(values[index], type, script);
  });
  return reply as T;
}

function readField(value: unknown, type: FieldType, script: string): unknown {
  switch (type) {
    case "string":
      return String(value ?? "");
    case "int":
    case "float": {
      const number = Number(value);
      if (!Number.isFinite(number)) throw new InvariantError(`script ${script} answered no number`);
      return number;
    }
    case "strings":
      return (value as string[] | undefined) ?? [];
    case "hash":
      return pairs((value as string[] | undefined) ?? []);
    case "json":
      return parseJson(value, script);
  }
}

function parseJson(value: unknown, script: string): unknown {
  if (typeof value !== "string") throw new InvariantError(`script ${script} answered no JSON`);
  return JSON.parse(value);
}

function pairs(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2)
    record[flat[index] as string] = flat[index + 1] as string;
  return record;
}
