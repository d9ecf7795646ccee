/**
 * Bodies of Twirp calls, protobuf and JSON, for servers and clients alike. What a call means, its route and its limits on
 * single fields are not known here.
 *
 * JSON answers are those of livekit-server's Twirp: snake_case, unset fields written out (its marshaller has
 * EmitUnpopulated on, since livekit-server does not set jsonSkipDefaults), enums by name, int64 as string.
 */

import { MAX_BODY_BYTES } from "@muster/domain/limits";
import { fromJson } from "./json/from-json.js";
import type { MessageSchema } from "./json/json-schema.js";
import { parseExactJson } from "./json/parse-exact.js";
import { AGENT_JSON, type ToJsonOptions, TWIRP_JSON, toJson } from "./json/to-json.js";
import { WireReader } from "./protobuf-runtime.js";
import { decodeProtobuf, decodeUtf8, refuseTooLarge } from "./refuse.js";

/** `application/json` and `application/protobuf`. */
export type Encoding = "json" | "protobuf";

/** @throws DispatchError `malformed` with the field named, or `too_large` */
export function decodeRequest<T>(schema: MessageSchema<T>, encoding: Encoding, body: Uint8Array): T {
  refuseTooLarge(body.byteLength, MAX_BODY_BYTES, "body");
  if (encoding === "protobuf") {
    return decodeProtobuf("body", () => schema.codec.decode(WireReader.untrusted(body)));
  }
  const json = parseExactJson(decodeUtf8(body, "body"), "body");
  return fromJson(schema, json, { path: "", source: "client" });
}

/**
 * Answers of livekit-server: a long list is no attack, and a newer server may know more enum names.
 * @throws DispatchError `malformed`; the size is the HTTP client's to bound
 */
export function decodeAnswer<T>(schema: MessageSchema<T>, encoding: Encoding, body: Uint8Array): T {
  if (encoding === "protobuf") {
    return decodeProtobuf("body", () => schema.codec.decode(body));
  }
  const json = parseExactJson(decodeUtf8(body, "body"), "body");
  return fromJson(schema, json, { path: "", source: "livekit" });
}

export function encodeRequest<T>(
  schema: MessageSchema<T>,
  encoding: Encoding,
  message: Partial<T>,
): Uint8Array {
  return encode(schema, encoding, message, AGENT_JSON);
}

export function encodeAnswer<T>(
  schema: MessageSchema<T>,
  encoding: Encoding,
  message: Partial<T>,
): Uint8Array {
  return encode(schema, encoding, message, TWIRP_JSON);
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
