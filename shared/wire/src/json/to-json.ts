/**
 * Messages to proto3 JSON, in the two forms that livekit-server speaks: camelCase without zero values (agent protocol),
 * and snake_case with zero values (Twirp, whose Go server emits unpopulated fields: null for an absent message). Enums by name, or number when unknown;
 * int64 as string; what protobuf kept as unknown fields has no JSON and is left out.
 */

import { assertNever } from "@muster/domain/assert";
import { toWellFormed } from "../well-formed.js";
import type { FieldSchema, MessageSchema } from "./json-schema.js";

export interface ToJsonOptions {
  readonly names: "camel" | "proto";
  readonly emitZeroValues: boolean;
}

export const AGENT_JSON: ToJsonOptions = { names: "camel", emitZeroValues: false };
export const TWIRP_JSON: ToJsonOptions = { names: "proto", emitZeroValues: true };

export type JsonObject = { [key: string]: unknown };

export function toJson<T>(schema: MessageSchema<T>, message: Partial<T>, options: ToJsonOptions): JsonObject {
  const json: JsonObject = {};
  const values = message as Readonly<Record<string, unknown>>;
  for (const field of schema.fields) {
    const value = fieldToJson(field, values[field.name], options);
    if (value !== undefined) json[options.names === "camel" ? field.name : field.protoName] = value;
  }
  return json;
}

/** undefined = left out. */
function fieldToJson(field: FieldSchema, value: unknown, options: ToJsonOptions): unknown {
  switch (field.label) {
    case "optional":
      return value === null || value === undefined ? undefined : elementToJson(field, value, options);
    case "single": {
      if (value === null || value === undefined) return options.emitZeroValues ? zeroOf(field) : undefined;
      if (!options.emitZeroValues && isZero(value)) return undefined;
      return elementToJson(field, value, options);
    }
    case "repeated": {
      const elements = (value ?? []) as readonly unknown[];
      if (elements.length === 0 && !options.emitZeroValues) return undefined;
      return elements.map((element) => elementToJson(field, element, options));
    }
    case "map": {
      const entries = Object.entries((value ?? {}) as object);
      if (entries.length === 0 && !options.emitZeroValues) return undefined;
      return Object.fromEntries(
        entries.map(([key, element]) => [toWellFormed(key), elementToJson(field, element, options)]),
      );
    }
    default:
      return assertNever(field.label, "label");
  }
}

function elementToJson(field: FieldSchema, value: unknown, options: ToJsonOptions): unknown {
  switch (field.kind) {
    case "string":
      return toWellFormed(value as string);
    case "bool":
    case "int32":
    case "uint32":
      return value;
    case "int64":
    case "uint64":
      return String(value);
    case "float":
      return Number.isFinite(value) ? value : String(value);
    case "enum":
      return field.values.nameOf.get(value as number) ?? value;
    case "message":
      return toJson(field.message, value as object, options);
    default:
      return assertNever(field, "kind of field");
  }
}

function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false || value === 0n;
}

function zeroOf(field: FieldSchema): unknown {
  switch (field.kind) {
    case "string":
      return "";
    case "bool":
      return false;
    case "int64":
    case "uint64":
      return "0";
    case "int32":
    case "uint32":
    case "float":
      return 0;
    case "enum":
      return field.values.nameOf.get(0) ?? 0;
    case "message":
      return null;
    default:
      return assertNever(field, "kind of field");
  }
}
