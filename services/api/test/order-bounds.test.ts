/** What POST /v1/orders refuses: each with its field, and with nothing written. */

import { MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MAX_ORDER_BODY_BYTES, NewOrderBody } from "../src/rest/new-order.js";
import { Target } from "../src/rest/target.js";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
  api = await kit.runApi(server);
  // Something to be left alone.
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  await api.twirp("CreateDispatch", { room: "kept", agent_name: "agent" } as { room: string });
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

interface Problem {
  status: number;
  code: string;
  message: string;
  field?: string;
}

/** The problem, after seeing that it is one and that no key has changed. */
async function refused(
  body: NonNullable<RequestInit["body"]>,
  headers: Record<string, string> = {},
): Promise<Problem> {
  const before = await kit.dump(api.redis);
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true }, body, duplex: "half" },
    headers: { "content-type": "application/json", ...headers },
  } as RequestInit);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await answer.json()) as Problem;
  expect(problem.status).toBe(answer.status);
  expect(await kit.dump(api.redis)).toEqual(before);
  return problem;
}

const minimal = { room: "room1", agent_name: "agent" };
const target = (criteria: object) => ({ target: { for: "participants", ...criteria } });
const DAY_MS = 24 * 3_600_000;
const steps = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ after_ms: 1_000 * (at + 1), agent_name: `agent-${at}` }));

const REFUSED: [string, object, string][] = [
  ["no room", { room: undefined }, "room"],
  ["an empty room", { room: "" }, "room"],
  ["a room that is no text", { room: 7 }, "room"],
  ["a room that is too long", { room: "r".repeat(513) }, "room"],
  ["no agent name", { agent_name: undefined }, "agent_name"],
  ["an agent name that is too long", { agent_name: "ä".repeat(129) }, "agent_name"],
  ["a namespace with a colon", { namespace: "a:b" }, "namespace"],
  ["a namespace with a brace", { namespace: "{x}" }, "namespace"],
  ["a namespace that is too long", { namespace: "n".repeat(65) }, "namespace"],
  ["a namespace that is null", { namespace: null }, "namespace"],
  ["a deployment with an underscore", { deployment: "a_b" }, "deployment"],
  ["a deployment that is too long", { deployment: "d".repeat(65) }, "deployment"],
  ["metadata that is no text", { metadata: {} }, "metadata"],
  ["metadata that is too large", { metadata: "m".repeat(MAX_METADATA_BYTES + 1) }, "metadata"],
  ["metadata that is too large in bytes", { metadata: "ä".repeat(MAX_METADATA_BYTES / 2 + 1) }, "metadata"],
  ["attributes that are no object", { attributes: ["a"] }, "attributes"],
  ["an attribute that is no text", { attributes: { a: 1 } }, "attributes.a"],
  ["an attribute without a name", { attributes: { "": "v" } }, "attributes"],
  ["attributes that are too large", { attributes: { a: "v".repeat(MAX_ATTRIBUTES_BYTES) } }, "attributes"],
  ["a priority below 0", { priority: -1 }, "priority"],
  ["a priority above 1000", { priority: 1_001 }, "priority"],
  ["a priority that is not whole", { priority: 1.5 }, "priority"],
  ["a deadline below 1 s", { deadline_ms: 999 }, "deadline_ms"],
  ["a deadline above 30 d", { deadline_ms: 30 * DAY_MS + 1 }, "deadline_ms"],
  ["a deadline that is not whole", { deadline_ms: 1_000.5 }, "deadline_ms"],
  ["a restart policy that is none", { restart_policy: "always" }, "restart_policy"],
  ["0 attempts", { max_attempts: 0 }, "max_attempts"],
  ["101 attempts", { max_attempts: 101 }, "max_attempts"],
  ["a target that is none", { target: "room" }, "target"],
  ["a target for nobody known", { target: { for: "agents" } }, "target.for"],
  ["a target without a group", { target: {} }, "target.for"],
  ["criteria for a room", { target: { for: "room", identities: ["a"] } }, "target.identities"],
  ["no identities", target({ identities: [] }), "target.identities"],
  ["101 identities", target({ identities: Array.from({ length: 101 }, String) }), "target.identities"],
  ["an empty identity", target({ identities: [""] }), "target.identities"],
  ["a long identity", target({ identities: ["i".repeat(513)] }), "target.identities"],
  ["an identity that is no text", target({ identities: ["a", 7] }), "target.identities.1"],
  ["an empty pattern", target({ identity_pattern: "" }), "target.identity_pattern"],
  ["a long pattern", target({ identity_pattern: "*".repeat(513) }), "target.identity_pattern"],
  ["no attributes to match", target({ attributes: {} }), "target.attributes"],
  [
    "33 attributes to match",
    target({ attributes: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`a${at}`, ""])) }),
    "target.attributes",
  ],
  ["an attribute to match that is no text", target({ attributes: { a: true } }), "target.attributes.a"],
  ["no kinds", target({ kinds: [] }), "target.kinds"],
  ["a kind that is none", target({ kinds: ["sip", "robot"] }), "target.kinds.1"],
  ["a hold that is no yes or no", { hold: 1 }, "hold"],
  ["fallback that is no list", { fallback: {} }, "fallback"],
  ["9 fallback steps", { fallback: steps(9) }, "fallback"],
  ["a step without its time", { fallback: [{ agent_name: "b" }] }, "fallback.0.after_ms"],
  ["a step below 1 s", { fallback: [{ after_ms: 999, agent_name: "b" }] }, "fallback.0.after_ms"],
  ["a step above 24 h", { fallback: [{ after_ms: DAY_MS + 1, agent_name: "b" }] }, "fallback.0.after_ms"],
  [
    "a step that is not later",
    {
      fallback: [
        { after_ms: 1_000, agent_name: "b" },
        { after_ms: 1_000, agent_name: "c" },
      ],
    },
    "fallback.1.after_ms",
  ],
  ["a step to nobody", { fallback: [{ after_ms: 1_000 }] }, "fallback.0"],
  ["a step to the same agent", { fallback: [{ after_ms: 1_000, agent_name: "agent" }] }, "fallback.0"],
  [
    "a step to the one before it",
    {
      fallback: [
        { after_ms: 1_000, deployment: "b" },
        { after_ms: 2_000, agent_name: "agent" },
      ],
    },
    "fallback.1",
  ],
  [
    "a step's agent that is too long",
    { fallback: [{ after_ms: 1_000, agent_name: "a".repeat(257) }] },
    "fallback.0.agent_name",
  ],
  [
    "a step's deployment with an underscore",
    { fallback: [{ after_ms: 1_000, deployment: "a_b" }] },
    "fallback.0.deployment",
  ],
  ["a field of a step that is none", { fallback: [{ after_ms: 1_000, agent: "b" }] }, "fallback.0.agent"],
  [
    "a preference for a worker without a key",
    { preferences: { sticky: { key: "" } } },
    "preferences.sticky.key",
  ],
  ["one per room that is no truth value", { one_per_room: "yes" }, "one_per_room"],
  ["waiting on that is no truth value", { keep_waiting: 1 }, "keep_waiting"],
  ["a field that is none", { holds: true }, "holds"],
  ["a field of the target that is none", target({ identityPattern: "*" }), "target.identityPattern"],
];

test.each(REFUSED)("refuses %s, and names the field", async (_what, body, field) => {
  const problem = await refused(JSON.stringify({ ...minimal, ...body }));
  expect(problem).toMatchObject({ status: 400, code: "invalid_argument", field });
  expect(problem.message.startsWith(`${field}: `)).toBe(true);
});

test("every field of the body and of the target is among those", () => {
  const named = new Set(REFUSED.map(([, , field]) => field.split(".")[0]));
  expect(Object.keys(NewOrderBody.shape).filter((field) => !named.has(field))).toEqual([]);
  const ofTarget = new Set(REFUSED.map(([, , field]) => field.split(".")[1]));
  expect(Object.keys(Target.shape).filter((field) => !ofTarget.has(field))).toEqual([]);
});

test.each(["attributes", "target.attributes"])("%s: a name that would get lost is refused", async (field) => {
  const attributes = '{"a":"b","__proto__":"c"}';
  const rest = field === "attributes" ? "" : '"target":{"for":"participants",';
  const body = `{"room":"room1","agent_name":"agent",${rest}"attributes":${attributes}${rest && "}"}}`;
  expect(await refused(body)).toMatchObject({ status: 400, code: "invalid_argument", field });
});

test.each<[string, string]>([
  ["", "idempotency-key"],
  ["k".repeat(256), "idempotency-key"],
  ["two words", "idempotency-key"],
  ["ä", "idempotency-key"],
  ["k".repeat(256), "x-livekit-request-id"],
])("refuses the key %j in %s", async (key, header) => {
  const problem = await refused(JSON.stringify(minimal), { [header]: key });
  expect(problem).toMatchObject({ status: 400, code: "invalid_argument", field: header });
});

test.each<[string, string, Record<string, string>, object]>([
  ["no JSON", "{", {}, { status: 400, code: "malformed", field: "body" }],
  ["nothing", "", {}, { status: 400, code: "malformed", field: "body" }],
  ["a list", "[]", {}, { status: 400, code: "invalid_argument" }],
  [
    "a form",
    "room=room1&agent_name=agent",
    { "content-type": "application/x-www-form-urlencoded" },
    { status: 400, code: "invalid_argument", field: "content-type" },
  ],
])("refuses a body that is %s", async (_what, body, headers, expected) => {
  expect(await refused(body, headers)).toMatchObject(expected);
});

test("refuses a body above its bound, announced or not; what is within it but for one field, for that field", async () => {
  const body = JSON.stringify({ ...minimal, metadata: "\u0001".repeat(MAX_METADATA_BYTES + 1) });
  expect(body.length).toBeLessThan(MAX_ORDER_BODY_BYTES);
  expect(await refused(body)).toMatchObject({ status: 400, field: "metadata" });
  const large = " ".repeat(MAX_ORDER_BODY_BYTES + 1);
  const expected = { status: 413, code: "too_large", field: "body" };
  expect(await refused(large)).toMatchObject(expected);
  expect(await refused(new Blob([large]).stream())).toMatchObject(expected);
});

test("the other routes keep their small bound", async () => {
  const answer = await api.rest("/v1/jobs/AJ_x/terminate", {
    ...{ method: "POST", video: { roomAdmin: true }, body: " ".repeat(70_000) },
    headers: { "content-type": "application/json" },
  });
  expect(answer.status).toBe(413);
});
