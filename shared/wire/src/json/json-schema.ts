/**
 * The shape of the field tables that the proto3 JSON codec walks. The tables themselves are generated.
 */

import type { MessageCodec } from "../protobuf-runtime.js";

interface FieldBase {
  /** camelCase, as in TypeScript and in JSON by default. */
  readonly name: string;
  /** snake_case, as in the .proto file and in Twirp's JSON. */
  readonly protoName: string;
  /** `optional`: has presence by `optional` or by being in a oneof. A single message field has presence anyway. */
  readonly label: "single" | "optional" | "repeated" | "map";
  readonly oneof: string | undefined;
}

export type ScalarKind = "string" | "bool" | "int32" | "uint32" | "int64" | "uint64" | "float";

export type FieldSchema =
  | (FieldBase & { readonly kind: ScalarKind })
  | (FieldBase & { readonly kind: "enum"; readonly values: EnumSchema })
  | (FieldBase & { readonly kind: "message"; readonly message: MessageSchema<object> });

export interface MessageSchema<T> {
  readonly name: string;
  readonly codec: MessageCodec<T>;
  readonly fields: readonly FieldSchema[];
}

export interface EnumSchema {
  readonly name: string;
  readonly numberOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
}

export function enumSchema(name: string, values: Readonly<Record<string, number>>): EnumSchema {
  const entries = Object.entries(values);
  return {
    name,
    numberOf: new Map(entries),
    nameOf: new Map(entries.map(([label, number]) => [number, label])),
  };
}
