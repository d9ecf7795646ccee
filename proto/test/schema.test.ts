import * as protocol from "@livekit/protocol";
import * as schemas from "@muster/wire/generated/livekit-schema";
import type { EnumSchema, FieldSchema, MessageSchema } from "@muster/wire/json/json-schema";
import { describe, expect, it } from "vitest";
import newest from "./livekit-protocol-1.1.29.json" with { type: "json" };

/**
 * npm's package lags behind: what the agent protocol has gained since is held against the descriptors of PyPI's
 * livekit-protocol, as they were read from it (livekit-protocol-1.1.29.json).
 */
const NOT_READ = new Set([
  ...["RegisterWorkerRequest.endpoints", "RegisterWorkerRequest.instance_id"],
  ...["RegisterWorkerRequest.endpoint_protocol", "RegisterWorkerResponse.endpoint_settings"],
  ...["MigrateJobRequest.jobs", "ServerMessage.go_away"],
]);

/** Our .proto files against the types of @livekit/protocol at run time: every message, field, number and enum value. */

type Known = Record<string, { fields: { list(): readonly KnownField[] } }>;
interface KnownField {
  no: number;
  name: string;
  localName: string;
  kind: "scalar" | "enum" | "message" | "map";
  T: number | { typeName: string; values?: readonly { no: number; name: string }[] };
  V?: { T: number };
  repeated?: boolean;
  opt?: boolean;
  oneof?: { name: string };
}

const SCALARS: Record<number, string> = {
  2: "float",
  3: "int64",
  5: "int32",
  8: "bool",
  9: "string",
  13: "uint32",
};

/** Left out on purpose: egress and ingress (webhook.proto), media and debugging settings of a room (room.proto). */
const LEFT_OUT = new Set([
  "WebhookEvent.egress_info",
  "WebhookEvent.ingress_info",
  "CreateRoomRequest.room_preset",
  "CreateRoomRequest.node_id",
  "CreateRoomRequest.tags",
  "CreateRoomRequest.egress",
  "CreateRoomRequest.min_playout_delay",
  "CreateRoomRequest.max_playout_delay",
  "CreateRoomRequest.sync_streams",
  "CreateRoomRequest.replay_enabled",
]);

/** What LiveKit has added since @livekit/protocol was published (livekit/protocol v1.53): not held against it. */
const AHEAD_FIELDS = new Set(["JobState.reason", "UpdateWorkerStatus.draining", "UpdateWorkerStatus.seq"]);
const AHEAD_VALUES = new Set(["JS_CANCELLED"]);

const messages = Object.values(schemas) as MessageSchema<object>[];

describe("proto/livekit", () => {
  it("covers what the agent protocol, dispatches, rooms and webhooks reach", () => {
    const names = messages.map((schema) => schema.name);
    expect(names).toContain("WorkerMessage");
    expect(names).toContain("ServerMessage");
    expect(names).toContain("AgentDispatch");
    expect(names).toContain("WebhookEvent");
    expect(names).toContain("CreateRoomRequest");
    expect(names).toContain("RoomParticipantIdentity");
  });

  const withFields = messages.filter((schema) => schema.fields.length > 0);
  it.each(withFields.map((schema) => [schema.name, schema] as const))("%s is LiveKit's", (name, schema) => {
    const known = (protocol as unknown as Known)[name]?.fields.list() ?? [];
    const expected = known.filter((field) => !LEFT_OUT.has(`${name}.${field.name}`)).map(describeKnown);
    const ours = schema.fields.filter((field) => !AHEAD_FIELDS.has(`${name}.${field.protoName}`));
    expect(ours.map((field) => describeOurs(schema, field))).toEqual(expected);
  });

  it.each(Object.entries(newest))("%s is that of LiveKit's newest agent protocol", (name, known) => {
    const schema = messages.find((one) => one.name === name);
    const ours = schema?.fields.map((field) => {
      const kind = field.label === "map" ? "message" : field.kind;
      const repeated = field.label === "repeated" || field.label === "map" ? "repeated " : "";
      return [field.protoName, `${numberOf(schema, field)} ${repeated}${kind}`] as const;
    });
    const expected = Object.entries(known).filter(([field]) => !NOT_READ.has(`${name}.${field}`));
    expect(Object.fromEntries(ours ?? [])).toEqual(Object.fromEntries(expected));
  });
});

function describeKnown(field: KnownField) {
  return {
    number: field.no,
    name: field.name,
    localName: field.localName,
    label:
      field.kind === "map"
        ? "map"
        : field.repeated
          ? "repeated"
          : field.opt || field.oneof
            ? "optional"
            : "single",
    oneof: field.oneof?.name,
    type: typeOfKnown(field),
  };
}

function typeOfKnown(field: KnownField): unknown {
  const type = field.kind === "map" ? field.V?.T : field.T;
  if (typeof type === "number") return SCALARS[type];
  if (type === undefined) return undefined;
  if (type.values !== undefined)
    return Object.fromEntries(type.values.map((value) => [value.name, value.no]));
  return type.typeName.replace("livekit.", "");
}

function describeOurs(schema: MessageSchema<object>, field: FieldSchema) {
  return {
    number: numberOf(schema, field),
    name: field.protoName,
    localName: field.name,
    label: field.label,
    oneof: field.oneof,
    type: typeOfOurs(field),
  };
}

function typeOfOurs(field: FieldSchema): unknown {
  if (field.kind === "message") return field.message.name;
  if (field.kind === "enum") {
    const values = [...(field.values as EnumSchema).numberOf];
    return Object.fromEntries(values.filter(([value]) => !AHEAD_VALUES.has(value)));
  }
  return field.kind;
}

/** The field's number, read off what our codec writes when only this field is set. */
function numberOf(schema: MessageSchema<object>, field: FieldSchema): number {
  const encoded = schema.codec.encode({ [field.name]: exampleOf(field) }).finish();
  let tag = 0;
  for (const [index, byte] of encoded.entries()) {
    tag |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) break;
  }
  return tag >>> 3;
}

function exampleOf(field: FieldSchema): unknown {
  const single = singleExampleOf(field);
  if (field.label === "map") return { key: single };
  return field.label === "repeated" ? [single] : single;
}

function singleExampleOf(field: FieldSchema): unknown {
  if (field.kind === "message") return field.message.codec.create();
  if (field.kind === "string") return "x";
  if (field.kind === "int64" || field.kind === "uint64") return 1n;
  return field.kind === "bool" ? true : 1;
}
