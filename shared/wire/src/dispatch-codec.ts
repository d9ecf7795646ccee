/**
 * Bodies of livekit.AgentDispatchService, protobuf and JSON, for its server and its clients. Routes, headers, limits on
 * single fields and what the calls do are not known here.
 */

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
import { decodeAnswer, decodeRequest, type Encoding, encodeAnswer, encodeRequest } from "./twirp-body.js";

export type { Encoding } from "./twirp-body.js";

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
  return encodeAnswer(AgentDispatchSchema, encoding, dispatch);
}

export function encodeDispatchList(encoding: Encoding, dispatches: AgentDispatch[]): Uint8Array {
  return encodeAnswer(ListAgentDispatchResponseSchema, encoding, { agentDispatches: dispatches });
}

// The client's side.

export function encodeCreateDispatch(
  encoding: Encoding,
  request: Partial<CreateAgentDispatchRequest>,
): Uint8Array {
  return encodeRequest(CreateAgentDispatchRequestSchema, encoding, request);
}

export function encodeDeleteDispatch(
  encoding: Encoding,
  request: Partial<DeleteAgentDispatchRequest>,
): Uint8Array {
  return encodeRequest(DeleteAgentDispatchRequestSchema, encoding, request);
}

export function encodeListDispatch(
  encoding: Encoding,
  request: Partial<ListAgentDispatchRequest>,
): Uint8Array {
  return encodeRequest(ListAgentDispatchRequestSchema, encoding, request);
}

/** @throws DispatchError `malformed`; the size is the HTTP client's to bound */
export function decodeDispatch(encoding: Encoding, body: Uint8Array): AgentDispatch {
  return decodeAnswer(AgentDispatchSchema, encoding, body);
}

export function decodeDispatchList(encoding: Encoding, body: Uint8Array): ListAgentDispatchResponse {
  return decodeAnswer(ListAgentDispatchResponseSchema, encoding, body);
}
