/**
 * The typed part of livekit.ts: one interface and one codec per message, one `as const` table per enum.
 * Fields without presence are never absent (they read as their zero value); fields with presence read as null when absent.
 */

const SCALARS = {
  string: "string",
  bool: "boolean",
  int32: "number",
  uint32: "number",
  int64: "bigint",
  uint64: "bigint",
  float: "number",
};

export function emitTypes(messages, enums) {
  const parts = ['import type { MessageCodec } from "../protobuf-runtime.js";\n'];
  for (const message of messages) parts.push(emitMessage(message));
  for (const { name, values } of enums) {
    const lines = Object.entries(values).map(([label, number]) => `  ${label}: ${number},`);
    parts.push(`export const ${name} = {\n${lines.join("\n")}\n} as const;\n`);
  }
  return parts.join("\n");
}

function emitMessage(message) {
  const fields = message.fieldsArray.map((field) => `  ${field.name}: ${typeOf(field)};`);
  for (const oneof of message.oneofsArray) {
    if (oneof.isProto3Optional) continue;
    const names = oneof.fieldsArray.map((field) => `"${field.name}"`).join(" | ");
    fields.push(`  /** Which one is set. */\n  readonly ${oneof.name}: ${names} | undefined;`);
  }
  return [
    `export interface ${message.name} {\n${fields.join("\n")}\n}`,
    `export const ${message.name}: MessageCodec<${message.name}> = $root.livekit.${message.name};\n`,
  ].join("\n");
}

function typeOf(field) {
  const single = singleTypeOf(field);
  if (field.map) return `Record<string, ${single}>`;
  if (field.repeated) return `${single}[]`;
  return hasPresence(field) ? `${single} | null` : single;
}

function singleTypeOf(field) {
  if (field.resolvedType === null) {
    const scalar = SCALARS[field.type];
    if (scalar === undefined) throw new Error(`${field.fullName}: no TypeScript type for ${field.type}`);
    return scalar;
  }
  return isMessage(field) ? field.resolvedType.name : "number";
}

export function isMessage(field) {
  return field.resolvedType !== null && "fieldsArray" in field.resolvedType;
}

export function hasPresence(field) {
  return !field.map && !field.repeated && (isMessage(field) || field.partOf !== null);
}
