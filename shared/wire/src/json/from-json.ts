/**
 * proto3 JSON to messages, as livekit-server reads it: camelCase and snake_case names, enums by name or number, int64 as
 * string or number, null as absent, unknown fields skipped. Everything known is checked, and an error names the field
 * by its path as the sender wrote it.
 */

import { assertNever } from "@muster/domain/assert";
import { DispatchError } from "@muster/domain/errors";
import { isWellFormed } from "../well-formed.js";
import type { EnumSchema, FieldSchema, MessageSchema } from "./json-schema.js";
import { readFloat, readInt32, readInt64, readUint32, readUint64 } from "./numbers.js";

export interface FromJsonOptions {
  /** Begins every path in errors: "register" gives "register.agentName". Empty = the bare field. */
  readonly path: string;
  /**
   * `client`: refuse names of enums that are not known, and unfold no more than MAX_ELEMENTS values.
   * `livekit`: a newer server may know more names, so they are skipped, and a long list of its dispatches is no attack.
   */
  readonly source: "client" | "livekit";
}

/** A small text of many `{}` unfolds into large messages; real ones have a few hundred elements. */
const MAX_ELEMENTS = 65_536;

export function fromJson<T>(schema: MessageSchema<T>, value: unknown, options: FromJsonOptions): T {
  return new JsonReader(options.source).message(schema, value, options.path);
}

type JsonObject = Record<string, unknown>;

class JsonReader {
  readonly #source: "client" | "livekit";
  #elementsLeft: number;

  constructor(source: "client" | "livekit") {
    this.#source = source;
    this.#elementsLeft = source === "client" ? MAX_ELEMENTS : Number.POSITIVE_INFINITY;
  }

  message<T>(schema: MessageSchema<T>, value: unknown, path: string): T {
    const json = requireObject(value, path, schema.name);
    const message = schema.codec.create();
    const fields = message as JsonObject;
    const oneofsSet = new Set<string>();
    for (const field of schema.fields) {
      const key = this.#keyOf(json, field, path);
      if (key === undefined) continue;
      const read = this.#field(field, json[key], join(path, key));
      if (read === undefined) continue;
      if (field.oneof !== undefined) {
        if (oneofsSet.has(field.oneof))
          throw malformed(join(path, key), "another field of the same oneof is set too");
        oneofsSet.add(field.oneof);
      }
      fields[field.name] = read;
    }
    return message;
  }

  /** The name by which the sender gave this field, or undefined when it did not, or gave null. */
  #keyOf(json: JsonObject, field: FieldSchema, path: string): string | undefined {
    const camel = Object.hasOwn(json, field.name) && json[field.name] !== null;
    const snake =
      field.protoName !== field.name &&
      Object.hasOwn(json, field.protoName) &&
      json[field.protoName] !== null;
    if (camel && snake) throw malformed(join(path, field.name), `given twice, also as ${field.protoName}`);
    if (camel) return field.name;
    return snake ? field.protoName : undefined;
  }

  #field(field: FieldSchema, value: unknown, path: string): unknown {
    switch (field.label) {
      case "single":
      case "optional":
        return this.#element(field, value, path);
      case "repeated":
        if (!Array.isArray(value)) throw malformed(path, "must be an array");
        return value
          .map((element, index) => this.#element(field, element, `${path}[${index}]`))
          .filter((element) => element !== undefined);
      case "map":
        return this.#map(field, value, path);
      default:
        return assertNever(field.label, "label");
    }
  }

  #map(field: FieldSchema, value: unknown, path: string): unknown {
    const entries = Object.entries(requireObject(value, path, "map")).map(([key, element]) => {
      if (!isWellFormed(key)) throw malformed(path, "has a key that is not valid Unicode");
      return [key, this.#element(field, element, join(path, key))] as const;
    });
    // fromEntries defines properties, so that a key "__proto__" stays a key.
    return Object.fromEntries(entries);
  }

  /** undefined when the value is to be skipped. */
  #element(field: FieldSchema, value: unknown, path: string): unknown {
    if (--this.#elementsLeft < 0) throw malformed(path, `more than ${MAX_ELEMENTS} values in one message`);
    switch (field.kind) {
      case "string":
        if (typeof value !== "string") throw malformed(path, "must be a string");
        if (!isWellFormed(value)) throw malformed(path, "is not valid Unicode");
        return value;
      case "bool":
        if (typeof value !== "boolean") throw malformed(path, "must be true or false");
        return value;
      case "int32":
        return readInt32(value, path);
      case "uint32":
        return readUint32(value, path);
      case "int64":
        return readInt64(value, path);
      case "uint64":
        return readUint64(value, path);
      case "float":
        return readFloat(value, path);
      case "enum":
        return this.#enum(field.values, value, path);
      case "message":
        return this.message(field.message, value, path);
      default:
        return assertNever(field, "kind of field");
    }
  }

  #enum(values: EnumSchema, value: unknown, path: string): number | undefined {
    if (typeof value !== "string") return readInt32(value, path);
    const number = values.numberOf.get(value);
    if (number !== undefined) return number;
    if (this.#source === "livekit") return undefined;
    throw malformed(path, `not a ${values.name}; known are ${[...values.numberOf.keys()].join(", ")}`);
  }
}

function requireObject(value: unknown, path: string, what: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw malformed(path === "" ? what : path, "must be a JSON object");
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function malformed(path: string, problem: string): DispatchError {
  return new DispatchError("malformed", problem, path);
}
