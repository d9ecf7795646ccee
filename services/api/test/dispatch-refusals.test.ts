/** What livekit.AgentDispatchService refuses: the answer's form, the field it names, and that nothing is written. */

import { MAX_ATTRIBUTES_BYTES, MAX_BODY_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { encodeCreateDispatch } from "@muster/wire/dispatch-codec";
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
  api = await kit.runApi(server);
  // Something to be left alone.
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  await api.twirp("CreateDispatch", { room: "kept", agent_name: "agent" } as { room: string });
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

interface TwirpError {
  code: string;
  msg: string;
  meta?: Record<string, string>;
}

/** The answer, after seeing that it is a Twirp error and that no key has changed. */
async function refused(ask: () => Promise<Response>, status: number): Promise<TwirpError> {
  const before = await kit.dump(api.redis);
  const answer = await ask();
  expect(answer.headers.get("content-type")).toBe("application/json");
  const error = (await answer.json()) as TwirpError;
  expect({ status: answer.status, error }).toMatchObject({ status });
  expect(await kit.dump(api.redis)).toEqual(before);
  return error;
}

const create = (body: object, headers?: Record<string, string>) => () =>
  api.twirp("CreateDispatch", { room: "room1", ...body }, headers);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test.each<[string, object, string]>([
  ["no room", { room: "" }, "room"],
  ["a room that is too long", { room: "r".repeat(513) }, "room"],
  ["an agent name that is too long", { agent_name: "ä".repeat(129) }, "agent_name"],
  ["metadata that is too large", { metadata: "m".repeat(MAX_METADATA_BYTES + 1) }, "metadata"],
  ["attributes that are too large", { attributes: { a: "v".repeat(MAX_ATTRIBUTES_BYTES) } }, "attributes"],
  ["an attribute without a name", { attributes: { "": "v" } }, "attributes"],
  ["a deployment with an underscore", { deployment: "a_b" }, "deployment"],
  ["a deployment that is too long", { deployment: "d".repeat(65) }, "deployment"],
  ["a restart policy that is none", { restart_policy: 7 }, "restart_policy"],
])("refuses %s, and names the field", async (_what, body, field) => {
  const error = await refused(create(body), 400);
  expect(error).toMatchObject({ code: "invalid_argument", meta: { argument: field } });
  expect(error.msg).toMatch(new RegExp(`^${field}: `));
});

test("takes what is just within bounds", async () => {
  const body = {
    room: "r".repeat(512),
    agent_name: "a".repeat(256),
    metadata: "m".repeat(MAX_METADATA_BYTES),
  };
  expect((await api.twirp("CreateDispatch", body)).status).toBe(200);
});

test.each<[string, object, string]>([
  ["a field of the wrong type", { metadata: 7 }, "metadata"],
  ["a restart policy by an unknown name", { restart_policy: "JRP_MAYBE" }, "restart_policy"],
  ["an attribute that is no string", { attributes: { a: 1 } }, "attributes.a"],
])("refuses %s as malformed", async (_what, body, field) => {
  expect(await refused(create(body), 400)).toMatchObject({ code: "malformed", meta: { argument: field } });
});

const post =
  (body: string | Uint8Array, headers: Record<string, string>, path = "CreateDispatch") =>
  () =>
    fetch(`${api.url}/twirp/livekit.AgentDispatchService/${path}`, {
      method: "POST",
      headers: { ...bearer(kit.adminOf("room1")), ...headers },
      body: Buffer.from(body),
    });

test("refuses bodies that cannot be read", async () => {
  const json = { "content-type": "application/json; charset=utf-8" };
  const protobuf = { "content-type": "application/protobuf" };
  for (const ask of [
    ...[post("{", json), post("[]", json), post("", json), post(Buffer.from([0x22, 0xff, 0x22]), json)],
    post(Buffer.from([0x12, 0xff]), protobuf),
  ]) {
    expect(await refused(ask, 400)).toMatchObject({ code: "malformed" });
  }
  // An empty protobuf message is one without a room.
  expect(await refused(post("", protobuf), 401)).toMatchObject({ code: "unauthenticated" });
  const number = post(encodeCreateDispatch("protobuf", { room: "room1", restartPolicy: 9 }), protobuf);
  expect(await refused(number, 400)).toMatchObject({
    code: "invalid_argument",
    meta: { argument: "restart_policy" },
  });
});

test("refuses a body above 10 MiB, announced or not", async () => {
  const json = { "content-type": "application/json" };
  const error = await refused(post(Buffer.alloc(MAX_BODY_BYTES + 1, " "), json), 413);
  expect(error).toMatchObject({ code: "invalid_argument", meta: { argument: "body" } });
  const stream = () => {
    let sent = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        if (sent > MAX_BODY_BYTES + 65_536) controller.close();
        else controller.enqueue(Buffer.alloc(65_536, " "));
      },
    });
  };
  const url = `${api.url}/twirp/livekit.AgentDispatchService/CreateDispatch`;
  const headers = { ...bearer(kit.adminOf("room1")), ...json };
  const chunked = () =>
    fetch(url, { method: "POST", headers, body: stream(), duplex: "half" } as RequestInit);
  expect(await refused(chunked, 413)).toMatchObject({ code: "invalid_argument" });
});

test.each<[string, Record<string, string>]>([
  ["no token", { authorization: "" }],
  ["another scheme", { authorization: "Basic ZGV2a2V5OnNlY3JldA==" }],
  ["no JWT", bearer("nonsense")],
  ["another secret", bearer(kit.token({ roomAdmin: true, room: "room1" }, { secret: "other" }))],
  ["an unknown key", bearer(kit.token({ roomAdmin: true, room: "room1" }, { apiKey: "nobody" }))],
  ["an expired token", bearer(kit.token({ roomAdmin: true, room: "room1" }, { ttlMs: -120_000 }))],
  ["no grant", bearer(kit.token({}))],
  ["the grant for another room", bearer(kit.adminOf("room2"))],
  ["the grant for no room", bearer(kit.token({ roomAdmin: true }))],
  ["the grants of a participant", bearer(kit.token({ roomJoin: true, room: "room1" }))],
])("refuses %s as unauthenticated", async (_what, headers) => {
  for (const method of ["CreateDispatch", "DeleteDispatch", "ListDispatch"]) {
    const ask = () => api.twirp(method, { room: "room1", dispatch_id: "AD_x" } as { room: string }, headers);
    expect(await refused(ask, 401)).toMatchObject({ code: "unauthenticated" });
  }
});

test("routes, methods and content types that are none are bad routes, as in Twirp", async () => {
  const json = { "content-type": "application/json" };
  const path = "/twirp/livekit.AgentDispatchService/CreateDispatch";
  const get = await refused(() => fetch(api.url + path), 404);
  expect(get).toEqual({
    code: "bad_route",
    msg: 'unsupported method "GET" (only POST is allowed)',
    meta: { twirp_invalid_route: `GET ${path}` },
  });
  expect(await refused(post("{}", json, "Nothing"), 404)).toMatchObject({
    code: "bad_route",
    msg: 'no handler for path "/twirp/livekit.AgentDispatchService/Nothing"',
  });
  expect(await refused(post("{}", { "content-type": "text/plain" }), 404)).toMatchObject({
    code: "bad_route",
    msg: 'unexpected Content-Type: "text/plain"',
  });
});

test("LiveKit's other services are said not to be here", async () => {
  const ask = () => fetch(`${api.url}/twirp/livekit.RoomService/CreateRoom`, { method: "POST" });
  const error = await refused(ask, 501);
  expect(error.code).toBe("unimplemented");
  expect(error.msg).toMatch(/^livekit\.RoomService is not served here: .*LIVEKIT_URL/);
});

test("ids are checked, and one of another room is not found", async () => {
  const call = (method: string, body: object) => () => api.twirp(method, { room: "room1", ...body });
  for (const method of ["DeleteDispatch", "ListDispatch"]) {
    const error = await refused(call(method, { dispatch_id: "AD_{x}:y" }), 400);
    expect(error).toMatchObject({ code: "invalid_argument", meta: { argument: "dispatch_id" } });
  }
  expect(await refused(call("DeleteDispatch", {}), 400)).toMatchObject({ meta: { argument: "dispatch_id" } });
  const [kept] = await new AgentDispatchClient(api.url, kit.API_KEY, kit.API_SECRET).listDispatch("kept");
  const error = await refused(call("DeleteDispatch", { dispatch_id: kept?.id }), 404);
  expect(error).toEqual({ code: "not_found", msg: "dispatch ID not found" });
});
