/** Placement policies through the REST API: set, read, taken back, in force at once; and what is no policy. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server);
});
afterEach(() => api.stop());
afterAll(() => server.stop());

const PATH = "/v1/placement-policies";

async function call(
  method: "GET" | "PUT" | "DELETE",
  query: string,
  policy?: object,
  video: object = { roomAdmin: true },
) {
  const answer = await api.rest(`${PATH}${query}`, {
    ...{ method, video, headers: { "content-type": "application/json" } },
    ...(policy !== undefined && { body: JSON.stringify(policy) }),
  });
  return { status: answer.status, body: (await answer.json()) as { field?: string } };
}

test("is set for a namespace and for an agent, whatever its name, listed, and taken back", async () => {
  const pack = { strategy: "pack", max_jobs: 4, reserved_jobs: 1, reserved_from: 500 };
  const name = encodeURIComponent("a/b é*");
  expect(await call("PUT", "", { max_load: 0.5 })).toMatchObject({ status: 200, body: { agent_name: null } });
  expect(await call("PUT", `?agent_name=${name}`, pack)).toMatchObject({
    status: 200,
    body: { policy: pack },
  });
  await call("PUT", "?agent_name=", { strategy: "weighted" });
  await call("PUT", "?namespace=eu", { job_load: 0 });
  const listed = [
    { agent_name: null, policy: { max_load: 0.5 } },
    { agent_name: "", policy: { strategy: "weighted" } },
    { agent_name: "a/b é*", policy: pack },
  ];
  expect((await call("GET", "")).body).toEqual({ namespace: "", policies: listed });
  for (let time = 0; time < 2; time++) await call("DELETE", `?agent_name=${name}`);
  await call("DELETE", "");
  expect((await call("GET", "")).body).toMatchObject({ policies: [listed[1]] });
  expect((await call("GET", "?namespace=eu")).body).toMatchObject({
    policies: [{ policy: { job_load: 0 } }],
  });
});

test("that makes room has the pool served, and one that takes it away holds at once", async () => {
  const owner = await kit.fakeDispatcher(server);
  await call("PUT", "?agent_name=agent", { max_jobs: 1 });
  const { ledger } = api;
  const gateway = kit.newId("node");
  const worker = await kit.registerWorker(ledger, { namespace: "default", agent: "agent", gateway });
  const sample = { session: worker, status: "available", draining: false, load: 0, job_count: 0 } as const;
  await ledger.sampleSessions({ namespace: "default", gateway, samples: [sample] });
  const at = { namespace: "default", offerMs: 60_000, retryMs: 500, scan: 32 };
  const order = async (key: string) => {
    const body = JSON.stringify({ room: `room-${key}`, agent_name: "agent" });
    const headers = { "content-type": "application/json" };
    const answer = await api.rest("/v1/orders", {
      method: "POST",
      video: { roomAdmin: true },
      body,
      headers,
    });
    return ((await answer.json()) as { jobs: { id: string }[] }).jobs[0]?.id ?? "";
  };
  expect(await ledger.admit({ ...at, job: await order("1") })).toMatchObject({ job: { session: worker } });
  const second = await order("2");
  expect(await ledger.admit({ ...at, job: second })).toMatchObject({ status: "parked" });
  await call("DELETE", "?agent_name=agent");
  await waitUntil("its dispatcher is told of the room", () =>
    owner.received.some(({ message }) => message.kind === "serve"),
  );
  await owner.stop();
});

test.each([
  ["strategy", { strategy: "odd" }],
  ["max_load", { max_load: 0 }],
  ["max_load", { max_load: 1.1 }],
  ["max_jobs", { max_jobs: 0 }],
  ["max_jobs", { max_jobs: 1.5 }],
  ["job_load", { job_load: -0.1 }],
  ["reserved_from", { max_jobs: 2, reserved_jobs: 1 }],
  ["reserved_from", { reserved_from: 5 }],
  ["reserved_jobs", { reserved_jobs: 1, reserved_from: 5 }],
  ["reserved_jobs", { max_jobs: 2, reserved_jobs: 2, reserved_from: 5 }],
  ["reserved_load", { max_load: 0.5, reserved_load: 0.5, reserved_from: 5 }],
  ["odd", { odd: true }],
])("%s of %j is refused, and nothing changes", async (field, policy) => {
  expect(await call("PUT", "", policy)).toMatchObject({
    status: 400,
    body: { code: "invalid_argument", field },
  });
  expect((await call("GET", "")).body).toMatchObject({ policies: [] });
});

test("a caller who may not change everything changes none", async () => {
  const one = { roomAdmin: true, room: "room" };
  expect(await call("PUT", "", {}, one)).toMatchObject({ status: 403 });
  expect(await call("DELETE", "", undefined, { roomList: true })).toMatchObject({ status: 403 });
  expect(await call("GET", "", undefined, { roomList: true })).toMatchObject({ status: 200 });
});
