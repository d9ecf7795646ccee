import {
  AgentDispatch as KnownAgentDispatch,
  CreateAgentDispatchRequest as KnownCreate,
  ListAgentDispatchResponse as KnownList,
} from "@livekit/protocol";
import type { DispatchError } from "@muster/domain/errors";
import { MAX_BODY_BYTES } from "@muster/domain/limits";
import {
  decodeCreateDispatch,
  decodeDeleteDispatch,
  decodeDispatch,
  decodeDispatchList,
  decodeListDispatch,
  encodeCreateDispatch,
  encodeDeleteDispatch,
  encodeDispatch,
  encodeDispatchList,
  encodeListDispatch,
} from "@muster/wire/dispatch-codec";
import { AgentDispatch, AgentDispatchState, type Job } from "@muster/wire/generated/livekit";
import { buildJob } from "@muster/wire/job-message";
import { decodeWebhookEvent, encodeWebhookEvent } from "@muster/wire/webhook-event";
import { describe, expect, it } from "vitest";

const utf8 = (text: string) => new TextEncoder().encode(text);
const json = (body: Uint8Array) => JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;

const JOB: Job = buildJob({
  id: "AJ_1",
  dispatchId: "AD_1",
  type: "room",
  room: { name: "r", sid: "RM_1" },
  namespace: "",
  metadata: "m",
  agentName: "greeter",
  state: { status: 1, startedAtNs: 1767225600123456789n },
});

const DISPATCH = AgentDispatch.create({
  id: "AD_1",
  agentName: "greeter",
  room: "r",
  metadata: "m",
  state: AgentDispatchState.create({ jobs: [JOB], createdAt: 1767225600123456789n }),
  restartPolicy: 1,
  deployment: "canary",
  attributes: { tier: "gold" },
});

describe("requests", () => {
  it.each([
    ["camelCase, as the Node SDK sends", '{"agentName":"greeter","room":"r","restartPolicy":"JRP_NEVER"}'],
    ["snake_case", '{"agent_name":"greeter","room":"r","restart_policy":"JRP_NEVER"}'],
    [
      "enum by number, fields of tomorrow",
      '{"agentName":"greeter","room":"r","restartPolicy":1,"futureField":{}}',
    ],
  ])("are read from JSON: %s", (_name, text) => {
    const read = decodeCreateDispatch("json", utf8(text));
    expect([read.agentName, read.room, read.restartPolicy, read.metadata, read.attributes]).toEqual([
      "greeter",
      "r",
      1,
      "",
      {},
    ]);
  });

  it("are read from protobuf, as other SDKs send", () => {
    const body = new KnownCreate({
      agentName: "greeter",
      room: "r",
      attributes: { tier: "gold" },
      deployment: "canary",
    }).toBinary();
    const read = decodeCreateDispatch("protobuf", body);
    expect([read.agentName, read.room, read.attributes, read.deployment]).toEqual([
      "greeter",
      "r",
      { tier: "gold" },
      "canary",
    ]);
  });

  it.each(["json", "protobuf"] as const)("are the same after a way there and back: %s", (encoding) => {
    const create = {
      agentName: "a",
      room: "r",
      metadata: "m",
      restartPolicy: 1,
      deployment: "d",
      attributes: { k: "v" },
    };
    expect(decodeCreateDispatch(encoding, encodeCreateDispatch(encoding, create))).toMatchObject(create);
    const remove = { dispatchId: "AD_1", room: "r" };
    expect(decodeDeleteDispatch(encoding, encodeDeleteDispatch(encoding, remove))).toMatchObject(remove);
    expect(decodeListDispatch(encoding, encodeListDispatch(encoding, remove))).toMatchObject(remove);
  });

  it.each([
    ["json", utf8("{"), "malformed", "body"],
    ["json", utf8("[]"), "malformed", "CreateAgentDispatchRequest"],
    ["json", Uint8Array.from([0x22, 0xff, 0x22]), "malformed", "body"],
    ["json", utf8('{"room":1}'), "malformed", "room"],
    ["json", utf8('{"restart_policy":"JRP_SOMETIMES"}'), "malformed", "restart_policy"],
    ["json", utf8('{"attributes":{"a":{}}}'), "malformed", "attributes.a"],
    ["protobuf", Uint8Array.from([0x0a]), "malformed", "body"],
    ["protobuf", new Uint8Array(MAX_BODY_BYTES + 1), "too_large", "body"],
    ["json", new Uint8Array(MAX_BODY_BYTES + 1), "too_large", "body"],
  ] as const)("are refused (%s, case %#)", (encoding, body, code, field) => {
    expect(() => decodeCreateDispatch(encoding, body)).toThrow(
      expect.objectContaining({ name: "DispatchError", code, field }) as DispatchError,
    );
  });
});

describe("answers", () => {
  it("are livekit-server's JSON: snake_case, unset fields written, enums by name, int64 as string", () => {
    const body = json(encodeDispatch("json", { id: "AD_1", agentName: "greeter", room: "r" }));
    expect(body).toEqual({
      id: "AD_1",
      agent_name: "greeter",
      room: "r",
      metadata: "",
      state: null,
      restart_policy: "JRP_ON_FAILURE",
      deployment: "",
      attributes: {},
    });
    expect(Object.keys(body)).toEqual([
      "id",
      "agent_name",
      "room",
      "metadata",
      "state",
      "restart_policy",
      "deployment",
      "attributes",
    ]);
  });

  it("hold jobs whole; only what may be absent is left out", () => {
    const [dispatch] = json(encodeDispatchList("json", [DISPATCH])).agent_dispatches as [
      { state: { jobs: object[] } },
    ];
    expect(dispatch).toMatchObject({
      restart_policy: "JRP_NEVER",
      state: { created_at: "1767225600123456789", deleted_at: "0" },
    });
    expect(dispatch.state.jobs[0]).toMatchObject({
      id: "AJ_1",
      dispatch_id: "AD_1",
      type: "JT_ROOM",
      room: {
        sid: "RM_1",
        empty_timeout: 0,
        creation_time_ms: "0",
        enabled_codecs: [],
        active_recording: false,
        version: null,
      },
      state: { status: "JS_RUNNING", started_at: "1767225600123456789", ended_at: "0", worker_id: "" },
      enable_recording: false,
      attributes: {},
    });
    expect(dispatch.state.jobs[0]).not.toHaveProperty("participant");
  });

  it("without nulls are what @livekit/protocol writes with its defaults", () => {
    const known = KnownAgentDispatch.fromBinary(encodeDispatch("protobuf", DISPATCH));
    const expected = known.toJson({ emitDefaultValues: true, useProtoFieldName: true });
    // A field of livekit-server's that npm's @livekit/protocol has not: why a job waits or was cancelled.
    const said = JSON.stringify(withoutNulls(json(encodeDispatch("json", DISPATCH))));
    expect(said).toContain('"reason":"JSR_UNSPECIFIED"');
    expect(JSON.parse(said.replaceAll(',"reason":"JSR_UNSPECIFIED"', ""))).toEqual(expected);
  });

  it("are read by @livekit/protocol, as the server SDKs do", () => {
    const known = KnownList.fromJson(json(encodeDispatchList("json", [DISPATCH])) as never, {
      ignoreUnknownFields: true,
    });
    expect(Buffer.from(known.toBinary()).equals(encodeDispatchList("protobuf", [DISPATCH]))).toBe(true);
    expect(json(encodeDispatchList("json", []))).toEqual({ agent_dispatches: [] });
  });

  it.each(["json", "protobuf"] as const)("of livekit-server are read back: %s", (encoding) => {
    const protobuf = (dispatch: AgentDispatch) =>
      Buffer.from(encodeDispatch("protobuf", dispatch)).toString("hex");
    const one = decodeDispatch(encoding, encodeDispatch(encoding, DISPATCH));
    expect(protobuf(one)).toBe(protobuf(DISPATCH));
    // Long lists are no attack: this one has more fields than a request may have.
    const many = Array.from({ length: 3000 }, () => DISPATCH);
    const list = decodeDispatchList(encoding, encodeDispatchList(encoding, many)).agentDispatches;
    expect(list.map(protobuf)).toEqual(many.map(protobuf));
  });

  it("of a newer livekit-server are read, with enum names we do not know as unset", () => {
    const read = decodeDispatch("json", utf8('{"id":"AD_1","restart_policy":"JRP_SOMETIMES"}'));
    expect([read.id, read.restartPolicy]).toEqual(["AD_1", 0]);
  });
});

describe("webhooks", () => {
  it("are read as livekit-server posts them", () => {
    const event = decodeWebhookEvent(
      utf8(
        JSON.stringify({
          event: "participant_left",
          room: { sid: "RM_1", name: "r", creationTime: "1767225600" },
          participant: {
            sid: "PA_1",
            identity: "agent-AJ_1",
            kind: "AGENT",
            disconnectReason: "A_REASON_OF_TOMORROW",
            joinedAt: 1767225601,
          },
          egressInfo: { egressId: "EG_1", status: "EGRESS_ACTIVE" },
          id: "EV_1",
          createdAt: "1767225700",
        }),
      ),
    );
    expect(event).toMatchObject({ event: "participant_left", id: "EV_1", createdAt: 1767225700n });
    expect(event.room).toMatchObject({ sid: "RM_1", name: "r", creationTime: 1767225600n });
    expect(event.participant).toMatchObject({
      sid: "PA_1",
      identity: "agent-AJ_1",
      kind: 4,
      joinedAt: 1767225601n,
    });
    expect(event.participant?.disconnectReason).toBe(0);
    expect(decodeWebhookEvent(utf8(encodeWebhookEvent(event)))).toEqual(event);
  });
});

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, element]) => element !== null);
  return Object.fromEntries(kept.map(([key, element]) => [key, withoutNulls(element)]));
}
