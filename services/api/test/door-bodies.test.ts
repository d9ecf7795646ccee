/** The bodies that an api holds: shares, the whole, and the time that one may take. Over the wire, with senders that stop. */

import { createLog } from "@muster/runtime/log";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { DoorPolicy } from "../src/door-policy.js";
import { API_KEY, adminOf, runApi, silent, token } from "./kit.js";
import { type SlowSender, slowSender } from "./slow-sender.js";

const MIB = 1024 * 1024;
const CREATE = "/twirp/livekit.AgentDispatchService/CreateDispatch";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

async function open(doors: Partial<DoorPolicy>, log = silent) {
  const api = await runApi(server, { doors, log });
  onTestFinished(() => api.stop());
  return api;
}

const byOne = (identity: string) => ({
  authorization: `Bearer ${token({ roomAdmin: true, room: "r" }, { identity })}`,
  "content-type": "application/json",
  "content-length": String(10 * MIB),
});
const dispatch = { agent_name: "a", room: "r" };

test("bodies that do not end: one caller has a share, all have a bound, and who is beyond it is told so", async () => {
  const lines: { msg: string; bound?: string; identity?: string }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const log = createLog({ level: "warn", service: "api", destination });
  const api = await open({ bodiesBytes: 32 * MIB }, log);
  const rssBefore = process.memoryUsage().rss;
  // A refused one has little more on its way: where a server closes on what it did not read, the answer can be lost.
  const upload = (identity: string, bytes = MIB) => {
    const sender = slowSender(api.url + CREATE, { headers: byOne(identity) });
    sender.send(Buffer.alloc(bytes, " "));
    return sender;
  };
  const first = upload("greedy", 9 * MIB);
  const more: SlowSender[] = [];
  const second = await waitUntil("the caller has no more", () => {
    more.push(upload("greedy"));
    return more.find(({ status }) => status !== undefined);
  });
  expect(second.status).toBe(429);
  expect(second.text).toContain("retry-after: 1");
  expect(second.text).toContain('"code":"resource_exhausted"');
  // In the form of REST, too.
  const orders: SlowSender[] = [];
  const rest = await waitUntil("it has none there either", () => {
    const headers = { ...byOne("greedy"), "content-length": String(3 * MIB) };
    const sender = slowSender(`${api.url}/v1/orders`, { headers });
    sender.send(Buffer.alloc(MIB, " "));
    orders.push(sender);
    return orders.find(({ status }) => status !== undefined);
  });
  expect(rest.status).toBe(429);
  expect(rest.text).toContain("application/problem+json");

  const others = ["b", "c"].map((identity) => upload(identity, 9 * MIB));
  const refused = await waitUntil("somebody has found no room", () => {
    others.push(upload(`d${others.length}`));
    return others.find(({ status }) => status !== undefined);
  });
  expect(refused.status).toBe(503);
  expect(refused.text).toContain("MUSTER_BODIES_BYTES");
  expect(refused.text).toContain("retry-after: 1");
  // Two refusals of one caller, by two APIs, are one line; who has no room is told with who takes it.
  const refusals = lines.filter(({ msg }) => msg === "a caller was refused, a bound of the api is reached");
  const own = refusals.filter(({ bound }) => bound === "bodies_of_caller");
  expect(own).toEqual([
    expect.objectContaining({ level: "warn", keyId: API_KEY, identity: "greedy", clientIp: "127.0.0.1" }),
  ]);
  const shared = refusals.filter(({ bound }) => bound === "bodies");
  expect(shared[0]).toMatchObject({
    ...{ keyId: API_KEY, identity: expect.stringMatching(/^(b|c|d\d+)$/), clientIp: "127.0.0.1" },
    ...{ holderKeyId: API_KEY, holderIdentity: expect.stringMatching(/^(greedy|b|c)$/) },
  });
  // What is small has room, whatever the large ones do.
  for (const room of ["r", "s"])
    expect((await api.twirp("CreateDispatch", { ...dispatch, room })).status).toBe(200);
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(256 * MIB);

  for (const { socket } of [first, ...more, ...orders, ...others]) socket.destroy();
  const large = JSON.stringify({ ...dispatch, room: "r", x: " ".repeat(9 * MIB) });
  await waitUntil("a large one is read again", async () => {
    const answer = await fetch(api.url + CREATE, {
      ...{ method: "POST", body: large },
      headers: { authorization: `Bearer ${adminOf("r")}`, "content-type": "application/json" },
    });
    await answer.body?.cancel();
    return answer.status === 200;
  });
}, 60_000);

test("bodies whose bytes come one by one are held at their size, and not longer than a while", async () => {
  const api = await open({ bodyMs: 1_500 });
  const headers = { authorization: `Bearer ${adminOf("r")}`, "content-type": "application/json" };
  const lengths = [
    { "content-length": "100" },
    { "content-length": "100000" },
    { "transfer-encoding": "chunked" },
  ];
  const senders = lengths.map((length) =>
    slowSender(api.url + CREATE, { headers: { ...headers, ...length } }),
  );
  let sent = 0;
  await waitUntil("each is told", () => {
    for (const [at, sender] of senders.entries()) {
      if (sent < 90 && sender.status === undefined) sender.send(at === 2 ? "1\r\n \r\n" : " ");
    }
    sent++;
    return senders.every(({ status }) => status !== undefined);
  });
  for (const sender of senders) {
    expect(sender.status).toBe(400);
    expect(sender.text).toContain("body: did not arrive within 1.5 s (MUSTER_BODY_MS)");
  }
  expect((await api.twirp("CreateDispatch", dispatch)).status).toBe(200);
});

test("a hundred and fifty uploads of somebody who may only join cost nothing", async () => {
  const api = await open({});
  const authorization = `Bearer ${token({ roomJoin: true, room: "r" }, { identity: "caller" })}`;
  const headers = { authorization, "content-type": "application/json", "content-length": String(9 * MIB) };
  const part = Buffer.alloc(MIB, " ");
  const rssBefore = process.memoryUsage().rss;
  const senders = Array.from({ length: 150 }, () => slowSender(api.url + CREATE, { headers }));
  await waitUntil("all are refused", () => senders.every(({ status }) => status === 401), {
    deadlineMs: 20_000,
  });
  for (const sender of senders) sender.send(part);
  expect((await api.twirp("CreateDispatch", dispatch)).status).toBe(200);
  await waitUntil(
    "it is read and dropped",
    () => senders.every(({ socket }) => socket.writableLength === 0 || socket.destroyed),
    {
      deadlineMs: 20_000,
    },
  );
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(200 * MIB);
}, 60_000);
