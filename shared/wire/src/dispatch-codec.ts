/**
 * Bodies of livekit.AgentDispatchService, protobuf and JSON, for its server and its clients. Routes, headers, limits on
 * single fields and what the calls do are not known here.
 *
 * JSON answers are those of livekit-server's Twirp: snake_case, unset fields written out (its marshaller has
 * EmitUnpopulated on, since livekit-server does not set jsonSkipDefaults), enums by name, int64 as string.
 */

import { MAX_BODY_BYTES } from "@muster/domain/limits";
import type {
  AgentDispatch,
  CreateAgentDispatchRequest,
  DeleteAgentDispatchRequest,
  ListAgentDispatchRequest,
  ListAgentDispatchResponse,
} from "./generated/livekit.js";
import {
  AgentDispatchSchema,
  CreateAgentDispatchRequestSchema,
  DeleteAgentDispatchRequestSchema,
  ListAgentDispatchRequestSchema,
  ListAgentDispatchResponseSchema,
} from "./generated/livekit-schema.js";
import { fromJson } from "./json/from-json.js";
import type { MessageSchema } from "./json/json-schema.js";
import { parseExactJson } from "./json/parse-exact.js";
import { AGENT_JSON, type ToJsonOptions, TWIRP_JSON, toJson } from "./json/to-json.js";
import { WireReader } from "./protobuf-runtime.js";
import { decodeProtobuf, decodeUtf8, refuseTooLarge } from "./refuse.js";

/** `application/json` and `application/protobuf`. */
export type Encoding = "json" | "protobuf";

/** @throws DispatchError `malformed` with the field named, or `too_large`; so do all that decode requests */
export function decodeCreateDispatch(encoding: Encoding, body: Uint8Array): CreateAgentDispatchRequest {
  return decodeRequest(CreateAgentDispatchRequestSchema, encoding, body);
}

export function decodeDeleteDispatch(encoding: Encoding, body: Uint8Array): DeleteAgentDispatchRequest {
  return decodeRequest(DeleteAgentDispatchRequestSchema, encoding, body);
}

export function decodeListDispatch(encoding: Encoding, body: Uint8Array): ListAgentDispatchRequest {
  return decodeRequest(ListAgentDispatchRequestSchema, encoding, body);
}

/** The answer to CreateDispatch and DeleteDispatch. */
export function encodeDispatch(encoding: Encoding, dispatch: Partial<AgentDispatch>): Uint8Array {
  return encode(AgentDispatchSchema, encoding, dispatch, TWIRP_JSON);
}

export function encodeDispatchList(encoding: Encoding, dispatches: AgentDispatch[]): Uint8Array {
  return encode(ListAgentDispatchResponseSchema, encoding, { agentDispatches: dispatches }, TWIRP_JSON);
}

// The client's side: Muster asks livekit-server itself for the dispatches of a room.

export function encodeCreateDispatch(
  encoding: Encoding,
  request: Partial<CreateAgentDispatchRequest>,
): Uint8Array {
  return encode(CreateAgentDispatchRequestSchema, encoding, request, AGENT_JSON);
}

export function encodeDeleteDispatch(
  encoding: Encoding,
  request: Partial<DeleteAgentDispatchRequest>,
): Uint8Array {
  return encode(DeleteAgentDispatchRequestSchema, encoding, request, AGENT_JSON);
}

export function encodeListDispatch(
  encoding: Encoding,
  request: Partial<ListAgentDispatchRequest>,
): Uint8Array {
  return encode(ListAgentDispatchRequestSchema, encoding, request, AGENT_JSON);
}

/** @throws DispatchError `malformed`; the size is the HTTP client's to bound */
export function decodeDispatch(encoding: Encoding, body: Uint8Array): AgentDispatch {
  return decodeAnswer(AgentDispatchSchema, encoding, body);
}

export function decodeDispatchList(encoding: Encoding, body: Uint8Array): ListAgentDispatchResponse {
  return decodeAnswer(ListAgentDispatchResponseSchema, encoding, body);
}

function decodeRequest<T>(schema: MessageSchema<T>, encoding: Encoding, body: Uint8Array): T {
  refuseTooLarge(body.byteLength, MAX_BODY_BYTES, "body");
  if (encoding === "protobuf") {
    return decodeProtobuf("body", () => schema.codec.decode(WireReader.untrusted(body)));
  }
  const json = parseExactJson(decodeUtf8(body, "body"), "body");
  return fromJson(schema, json, { path: "", source: "client" });
}

/** Answers of livekit-server: a long list of dispatches is no attack, and a newer server may know more enum names. */
function decodeAnswer<T>(schema: MessageSchema<T>, encoding: Encoding, body: Uint8Array): T {
  if (encoding === "protobuf") {
    return decodeProtobuf("body", () => schema.codec.decode(body));
  }
  const json = parseExactJson(decodeUtf8(body, "body"), "body");
  return fromJson(schema, json, { path: "", source: "livekit" });
}

const utf8 = new TextEncoder();

function encode<T>(
  schema: MessageSchema<T>,
  encoding: Encoding,
  message: Partial<T>,
  json: ToJsonOptions,
): Uint8Array {
  if (encoding === "protobuf") return schema.codec.encode(message).finish();
  return utf8.encode(JSON.stringify(toJson(schema, message, json)));
}
