/** Texts that are no valid Unicode, in every kind of body over HTTP: refused with the field named, and nothing is kept. */
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;
let worker: string;

beforeAll(async () => {
  server = await startRedis();
  api = await kit.runApi(server);
  worker = await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

const send = (method: string, path: string, body: string | Uint8Array<ArrayBuffer>) =>
  api.rest(path, {
    method,
    video: { roomAdmin: true },
    body,
    headers: { "content-type": "application/json" },
  });
const order = (rest: string) => `{"room":"r","agent_name":"agent",${rest}}`;
const split = '"steps":[{"after_ms":0,"percent":5}],"rollback":{"max_bad_percent":10,"min_jobs":20}';

test.each([
  ["POST", "/v1/orders", '{"room":"r","agent_name":"\\ud800"}', "agent_name"],
  ["POST", "/v1/orders", order('"metadata":"\\uDC00x"'), "metadata"],
  ["POST", "/v1/orders", order('"attributes":{"\\ud800":"x"}'), "attributes"],
  ["POST", "/v1/orders", order('"preferences":{"sticky":{"key":"\\ud800"}}'), "preferences.sticky.key"],
  [
    "POST",
    "/v1/orders",
    order('"preferences":{"labels":[{"labels":{"a":"\\ud800"},"for_ms":5}]}'),
    "preferences.labels.0.labels.a",
  ],
  [
    "POST",
    "/v1/orders",
    order('"fallback":[{"after_ms":1000,"agent_name":"\\ud800"}]'),
    "fallback.0.agent_name",
  ],
  ["PUT", "/v1/workers/:worker/labels", '{"labels":{"a":"\\ud800"}}', "labels.a"],
  ["PUT", "/v1/deployment-splits?agent_name=a", `{"candidate":"\\ud800",${split}}`, "candidate"],
  [
    "POST",
    "/v1/drains",
    '{"target":{"kind":"deployment","agent_name":"\\ud800","deployment":"v2"}}',
    "target.agent_name",
  ],
  ["PUT", "/v1/rules/r", '{"when":{"room_pattern":"\\ud800"},"orders":[]}', "when.room_pattern"],
])("%s %s %s", async (method, path, body, field) => {
  const before = await kit.dump(api.redis);
  const answer = await send(method, path.replace(":worker", worker), body);
  expect([answer.status, await answer.json()]).toMatchObject([400, { code: "invalid_argument", field }]);
  expect(await kit.dump(api.redis)).toEqual(before);
});

const bytes = (text: string) => Buffer.from(text, "latin1");

test.each([
  ["POST", "/v1/orders", '{"room":"a\xffb","agent_name":"agent"}'],
  ["POST", "/v1/orders", order('"metadata":"\xc3"')],
  ["POST", "/v1/orders", order('"metadata":"\xed\xa0\x80"')],
  ["POST", "/v1/orders", order('"metadata":"\xc0\xaf"')],
  ["PUT", "/v1/rules/r", '{"when":{"room_pattern":"\xfe"},"orders":[]}'],
])("%s %s with bytes that are no UTF-8", async (method, path, body) => {
  const before = await kit.dump(api.redis);
  const answer = await send(method, path, bytes(body));
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { code: "malformed", field: "body", message: "body: not valid UTF-8" },
  ]);
  expect(await kit.dump(api.redis)).toEqual(before);
});

test.each(["json", "protobuf"])("CreateDispatch with bytes that are no UTF-8, as %s", async (encoding) => {
  const body = encoding === "json" ? '{"agent_name":"agent","room":"a\xff"}' : "\x0a\x05agent\x12\x02a\xff";
  const before = await kit.dump(api.redis);
  const answer = await fetch(`${api.url}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
    method: "POST",
    headers: {
      "content-type": `application/${encoding}`,
      authorization: `Bearer ${kit.token({ roomAdmin: true })}`,
    },
    body: bytes(body),
  });
  expect([answer.status, await answer.json()]).toMatchObject([400, { code: "malformed" }]);
  expect(await kit.dump(api.redis)).toEqual(before);
});

test("a whole pair is a character like another, escaped or not", async () => {
  for (const text of ["\\ud83d\\ude00", "😀", "\\\\ud800"]) {
    const answer = await send("POST", "/v1/orders", order(`"metadata":"${text}"`));
    expect(answer.status).toBe(201);
  }
});
