/**
 * Every operation of the OpenAPI document, asked over HTTP: it gives each answer that it is described to give, of the
 * shape that is described, and every refusal says what is wrong.
 */

import { MAX_DRAINS } from "@muster/domain/drain";
import { createLedger } from "@muster/ledger/ledger";
import { systemClock } from "@muster/runtime/clock";
import { startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { startEvents } from "../src/events/start-events.js";
import { eventCounts, happener, TUNING, untilHooksBegan } from "./events-kit.js";
import * as kit from "./kit.js";
import { type Call, KEPT, OPERATIONS, RULE, type Scene, TEMPLATE } from "./operations.js";

type Schema = z.core.JSONSchema.JSONSchema;
interface Described {
  operationId: string;
  security?: unknown[];
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
interface Document {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
}

/** What all have in common, and what nothing that is asked leads to. */
const COMMON = ["401", "403", "503", "500"];
const EVERYTHING = { roomAdmin: true, roomList: true, roomCreate: true };
/** A port that takes no connections. */
const NOBODY_TAKES = "http://127.0.0.1:1/hook";
const signing = { apiKey: kit.API_KEY, apiSecret: kit.API_SECRET };
/** Longer than commands are tried for. */
const GIVEN_UP_MS = 30_000;

let server: RedisServer;
let scene: Scene;
let schemas: Record<string, Schema>;
let described: Map<string, Described>;

beforeAll(async () => {
  server = await startRedis({ appendOnly: true });
  const deadEvent = await eventThatDied();
  const livekit = await startLivekitStandIn();
  const events = { urls: [NOBODY_TAKES], signing };
  const api = await kit.runApi(server, { events, livekitUrl: livekit.url, createRooms: false });
  const worker = await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const made = await api.twirp("CreateDispatch", { room: "room", agent_name: "agent" } as { room: string });
  const dispatch = (await made.json()) as { id: string; state: { jobs: { id: string }[] } };
  const over = (await (await api.twirp("CreateDispatch", { room: "room" })).json()) as { id: string };
  await api.twirp("DeleteDispatch", { room: "room", dispatch_id: over.id } as { room: string });
  const orders = { order: dispatch.id, overOrder: over.id, job: dispatch.state.jobs[0]?.id ?? "" };
  const fullNamespace = "full";
  scene = { api, livekit, worker, deadEvent, fullNamespace, ...orders };
  for (let count = 0; count < MAX_DRAINS; count++) {
    const target = { kind: "gateway", gateway: `NO_${count}` };
    await ask({ path: "/v1/drains", method: "POST", body: { namespace: fullNamespace, target } });
  }
  await ask({ path: `/v1/rules/${KEPT}`, method: "PUT", body: RULE });
  await ask({ path: `/v1/room-configurations/${KEPT}`, method: "PUT", body: { agents: [TEMPLATE] } });
  const text = await (await api.rest("/v1/openapi.json")).text();
  const document = JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")) as Document;
  schemas = document.components.schemas;
  const all = Object.values(document.paths).flatMap((item) => Object.values(item));
  described = new Map(all.map((operation) => [operation.operationId, operation]));
}, 60_000);
afterAll(async () => {
  await scene?.api.stop();
  await scene?.livekit.stop();
  await server?.stop();
});

async function ask({ path, method, body, headers }: Call, token = kit.token(EVERYTHING)): Promise<Response> {
  return await fetch(`${scene.api.url}${path}`, {
    ...(method !== undefined && { method }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: {
      ...(token !== "" && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
  });
}

/** That it has this status, and the shape that the document gives for it. */
async function expectAnswer(id: string, answer: Response, status: number): Promise<void> {
  const [content] = Object.entries(described.get(id)?.responses[status]?.content ?? {});
  const type = content?.[0] ?? "none";
  const got = { id, status: answer.status, type: answer.headers.get("content-type") };
  expect(got).toEqual({ id, status, type });
  if (type === "text/event-stream") return await answer.body?.cancel();
  const body = (await answer.json()) as { message?: string };
  const shape = z.fromJSONSchema({ ...content?.[1].schema, $defs: schemas });
  expect(shape.safeParse(body).error?.issues, `${id} ${status} ${JSON.stringify(body)}`).toBeUndefined();
  if (status >= 400) expect(body.message).not.toBe("");
}

/** What succeeds comes first, and behind it what needs it: a key that was used, an order that was made. */
const callsOf = (id: string) =>
  Object.entries(OPERATIONS[id] ?? {})
    .map(([status, make]) => ({ status: Number(status), make }))
    .sort((a, b) => rank(a.status) - rank(b.status));
const rank = (status: number): number => (status === 201 ? 0 : status);

function firstOf(id: string): Call {
  const [first] = callsOf(id);
  if (first === undefined) throw new Error(`${id} has no call`);
  return first.make(scene);
}

const guarded = () => [...described.values()].filter(({ security }) => security?.length !== 0);

test("each has its calls, and one for each answer that is its own", () => {
  expect(Object.keys(OPERATIONS).sort()).toEqual([...described.keys()].sort());
  for (const [id, { responses }] of described) {
    const own = Object.keys(responses).filter((status) => !COMMON.includes(status));
    expect({ id, statuses: Object.keys(OPERATIONS[id] ?? {}) }).toEqual({ id, statuses: own });
  }
});

test.each([
  ["without a token", "", 401],
  ["with one that allows nothing", kit.token({}), 403],
])("%s nothing is answered", async (_, token, status) => {
  for (const { operationId: id } of guarded()) await expectAnswer(id, await ask(firstOf(id), token), status);
});

test.each(Object.keys(OPERATIONS))("%s gives each answer that it describes", async (id) => {
  for (const { status, make } of callsOf(id)) await expectAnswer(id, await ask(make(scene)), status);
});

test("without Redis each says that it may be asked again", { timeout: GIVEN_UP_MS }, async () => {
  await server.kill();
  const asked = guarded().map(async ({ operationId: id }) => expectAnswer(id, await ask(firstOf(id)), 503));
  await Promise.allSettled(asked);
  await server.restart();
  await Promise.all(asked);
});

/** In the tries that a process makes which gives up soon. */
async function eventThatDied(): Promise<string> {
  const redis = server.client();
  const { metrics } = eventCounts();
  const events = startEvents({
    ...{ redis, project: "default", urls: [NOBODY_TAKES], signing, metrics, tuning: TUNING },
    ...{ ledger: createLedger(redis), log: kit.silent, clock: systemClock, random: () => 1, who: "walk" },
  });
  await untilHooksBegan(redis, events);
  await happener(redis, "default")({ event: "agent_job_queued", job: "AJ_walk" });
  const [letter] = await waitUntil("it is dead", async () => {
    const letters = await events.deadLetters.list("default", 10);
    return letters.length > 0 && letters;
  });
  await events.stop();
  return letter?.id ?? "";
}
