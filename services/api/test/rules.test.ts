/** Rules and room configurations over HTTP: put, read, listed, deleted, by version, and by whom. */

import { readFileSync } from "node:fs";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RoomConfiguration, Rule } from "../src/rest/definition-schemas.js";
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

test("the rule of the README is one", async () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, method = "", path = "", body = ""] =
    /curl -X (\w+) http:\/\/[^/]+(\/v1\/rules\/\S+)[^']*'([^']*)'/.exec(readme) ?? [];
  const headers = { "content-type": "application/json" };
  const answer = await api.rest(path, { method, video: { roomAdmin: true }, body, headers });
  expect({ status: answer.status, ...((await answer.json()) as object) }).toMatchObject({
    status: 201,
    id: "support",
  });
});

type Json = Record<string, unknown>;
const admin = { roomAdmin: true };
const template = {
  ...{
    agent_name: "greeter",
    deployment: "blue",
    metadata: "secret",
    attributes: { who: "you" },
    namespace: "eu",
  },
  ...{ priority: 7, deadline_ms: 90_000, restart_policy: "never", max_attempts: 2 },
  target: { for: "publishers", identity_pattern: "caller-*", kinds: ["sip"] },
  ...{ hold: true, keep_waiting: false, fallback: [{ after_ms: 5_000, agent_name: "voicemail" }] },
};
const defaults = {
  deployment: "",
  metadata: "",
  attributes: {},
  priority: 500,
  restart_policy: "on_failure",
  hold: false,
  keep_waiting: false,
  fallback: [],
};

const RULE = {
  body: {
    enabled: false,
    when: { room_pattern: "a-*", metadata: { tier: "gold" } },
    orders: [template],
    configuration: "c",
  },
  least: { when: { room_pattern: "*" }, orders: [{ agent_name: "" }] },
  whole: {
    ...{ enabled: true, when: { room_pattern: "*" } },
    orders: [{ ...defaults, agent_name: "", target: { for: "room" } }],
  },
  templates: "orders",
};
const CONFIGURATION = {
  body: { agents: [template, { ...template, agent_name: "scribe" }], metadata: "of the room" },
  least: { agents: [{ agent_name: "greeter" }] },
  whole: { agents: [{ ...defaults, agent_name: "greeter", target: { for: "room" } }] },
  templates: "agents",
};

interface Subject {
  path: string;
  list: string;
  kind: string;
  subject: typeof RULE | typeof CONFIGURATION;
  fields: readonly string[];
}
const SUBJECTS: [string, Subject][] = [
  [
    "rules",
    { path: "/v1/rules", list: "rules", kind: "rule", subject: RULE, fields: Object.keys(Rule.shape) },
  ],
  [
    "room configurations",
    {
      ...{ path: "/v1/room-configurations", list: "room_configurations", kind: "room configuration" },
      ...{ subject: CONFIGURATION, fields: Object.keys(RoomConfiguration.shape) },
    },
  ],
];

describe.each(SUBJECTS)("%s", (_name, { path, list, kind, subject, fields }) => {
  const ask = async (
    method: string,
    id: string,
    init: { body?: object; version?: unknown; video?: object } = {},
  ) => {
    const { body, version, video = admin } = init;
    const answer = await api.rest(id === "" ? path : `${path}/${id}`, {
      ...{ method, video },
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(version !== undefined && { "if-match": `${version}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, answer: (await answer.json()) as Json & { version: number } };
  };
  const put = (id: string, body: object, version?: unknown) => ask("PUT", id, { body, version });
  const read = async (query: string) => (await (await api.rest(`${path}${query}`)).json()) as Json;
  const unchanged = async (asking: () => Promise<unknown>) => {
    const before = await kit.dump(api.redis);
    await asking();
    expect(await kit.dump(api.redis)).toEqual(before);
  };

  test("are kept as they were put, with what was left out", async () => {
    const first = await put("one", subject.body);
    expect(first).toEqual({
      status: 201,
      answer: { id: "one", version: first.answer.version, ...subject.body },
    });
    expect(Object.keys(first.answer).sort()).toEqual([...fields].sort());
    expect(await read("/one")).toEqual(first.answer);
    const second = await put("one", subject.least);
    expect(second).toMatchObject({ status: 200, answer: { id: "one", ...subject.whole } });
    expect(second.answer.version).toBeGreaterThan(first.answer.version);
    expect(await read("/one")).toEqual(second.answer);
    await unchanged(async () => expect(await put("one", subject.least)).toEqual(second));
  });

  test("are replaced and deleted by version", async () => {
    const { version } = (await put("one", subject.body)).answer;
    await unchanged(async () => {
      for (const wrong of [version - 1, 1, `"${version + 1}"`]) {
        const field = "if-match";
        expect(await put("one", subject.least, wrong)).toMatchObject({
          ...{ status: 412, answer: { code: "failed_precondition", field } },
        });
        expect(await ask("DELETE", "one", { version: wrong })).toMatchObject({
          status: 412,
          answer: { field },
        });
      }
      for (const none of ["*", "x", "", '"', `${"9".repeat(16)}`])
        expect(await put("one", subject.least, none)).toMatchObject({
          status: 400,
          answer: { field: "if-match" },
        });
      expect(await put("other", subject.least, version)).toMatchObject({
        status: 412,
        answer: { field: "if-match" },
      });
    });
    const next = await put("one", subject.least, version);
    expect(next.status).toBe(200);
    expect((await put("one", subject.body, `"${next.answer.version}"`)).status).toBe(200);
    const { version: last } = (await read("/one")) as { version: number };
    expect(await ask("DELETE", "one", { version: last })).toEqual({
      status: 200,
      answer: { id: "one", version: last },
    });
  });

  test("are gone when deleted, and a repeat finds that", async () => {
    const { version } = (await put("one", subject.body)).answer;
    expect(await ask("DELETE", "one")).toEqual({ status: 200, answer: { id: "one", version } });
    await unchanged(async () => {
      expect(await ask("DELETE", "one")).toEqual({ status: 200, answer: { id: "one", version: null } });
      expect(await ask("DELETE", "never")).toEqual({ status: 200, answer: { id: "never", version: null } });
    });
    expect(await ask("GET", "one")).toMatchObject({
      status: 404,
      answer: { code: "not_found", message: `there is no ${kind} one` },
    });
    expect(await read("")).toEqual({ [list]: [], next_cursor: null, total: 0 });
  });

  test("are listed page by page, without what may be private", async () => {
    for (const id of ["one", "two", "three"]) await put(id, subject.body);
    const ids = async (query: string) => {
      const page = await read(query);
      return {
        ids: (page[list] as { id: string }[]).map(({ id }) => id),
        cursor: page.next_cursor,
        total: page.total,
      };
    };
    expect(await ids("")).toEqual({ ids: ["one", "two", "three"], cursor: null, total: 3 });
    const { cursor, ...first } = await ids("?limit=2");
    expect(first).toEqual({ ids: ["one", "two"], total: 3 });
    expect(await ids(`?limit=2&cursor=${cursor}`)).toEqual({ ids: ["three"], cursor: null, total: 3 });
    const text = JSON.stringify(await read(""));
    for (const secret of ["secret", "who", "of the room"]) expect(text).not.toContain(`"${secret}"`);
    expect(text).toContain("greeter");
    for (const [query, field] of [
      ["?limit=0", "limit"],
      ["?limit=501", "limit"],
      ["?cursor=b3JkZXJzOjE", "cursor"],
    ]) {
      const refused = await api.rest(`${path}${query}`);
      expect(await refused.json()).toMatchObject({ status: 400, code: "invalid_argument", field });
    }
  });

  test("that are large come in pages of as many as one answer may hold", async () => {
    const large = { ...template, metadata: "m".repeat(500 * 1024) };
    const body = { ...subject.least, [subject.templates]: [large, large] };
    for (let at = 0; at < 6; at++) await put(`large-${at}`, { ...body });
    const page = (await read("")) as Record<string, Json[]> & { next_cursor: string; total: number };
    expect(page[list]).toHaveLength(5);
    expect(page.total).toBe(6);
    const last = await read(`?cursor=${page.next_cursor}`);
    expect(last).toMatchObject({ [list]: [{ id: "large-5" }], next_cursor: null });
  });

  test.each<[string, object, { reads: number; changes: number }]>([
    ["the admin of all rooms", { roomAdmin: true }, { reads: 200, changes: 200 }],
    ["the admin of one room", { roomAdmin: true, room: "a-1" }, { reads: 403, changes: 403 }],
    [
      "the admin of one room who may list",
      { roomAdmin: true, roomList: true, room: "a-1" },
      { reads: 200, changes: 403 },
    ],
    ["who may list", { roomList: true }, { reads: 200, changes: 403 }],
    ["who may make rooms", { roomCreate: true }, { reads: 403, changes: 403 }],
    ["a participant", { roomJoin: true, room: "a-1" }, { reads: 403, changes: 403 }],
    ["a worker", { agent: true }, { reads: 403, changes: 403 }],
  ])("are for %s", async (_who, video, { reads, changes }) => {
    await put("one", subject.body);
    const before = await kit.dump(api.redis);
    expect((await ask("PUT", "one", { body: subject.least, video })).status).toBe(changes);
    expect((await ask("DELETE", "two", { video })).status).toBe(changes);
    expect((await ask("GET", "one", { video })).status).toBe(reads);
    expect((await ask("GET", "", { video })).status).toBe(reads);
    if (changes === 403) {
      expect((await ask("DELETE", "one", { video })).answer).toMatchObject({ code: "permission_denied" });
      expect(await kit.dump(api.redis)).toEqual(before);
    }
  });

  test("without a token, are nobody's", async () => {
    await put("one", subject.body);
    await unchanged(async () => {
      for (const [method, at] of [
        ["GET", path],
        ["GET", `${path}/one`],
        ["PUT", `${path}/one`],
        ["DELETE", `${path}/one`],
      ] as const) {
        const answer = await fetch(api.url + at, { method });
        expect(await answer.json()).toMatchObject({ status: 401, code: "unauthenticated" });
      }
    });
  });
});
