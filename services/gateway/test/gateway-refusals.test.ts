/** Bad input over a real socket: it is refused with a code and a reason, changes nothing, and hurts nobody else. */
import { MAX_FRAME_BYTES, MAX_MIGRATED_JOBS } from "@muster/domain/limits";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { encodeWorkerMessage } from "@muster/wire/agent-codec";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  type Bench,
  bench,
  cleanUp,
  type RunningGateway,
  stopRedis,
  TRANSPORT_KINDS,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

interface Refusal {
  send: (worker: WorkerClient, field: string) => void;
  code: number;
  reason: RegExp;
  /** Before the bad message, a good register. */
  registered?: true;
}

const register = (over: object) => (worker: WorkerClient, field: string) =>
  worker.send({ case: "register", value: { version: "1", namespace: field, ...over } });
const raw =
  (...bytes: number[]) =>
  (worker: WorkerClient) =>
    worker.sendRaw(Uint8Array.from(bytes));
const text = (frame: string) => (worker: WorkerClient) => worker.sendRaw(frame);

const REFUSALS: Record<string, Refusal> = {
  "an unknown job type": { send: register({ type: 3 }), code: 4422, reason: /^register\.type:/ },
  "a deployment that is too long": {
    send: register({ deployment: "d".repeat(65) }),
    code: 4422,
    reason: /^register\.deployment: longer than 64/,
  },
  "a deployment with an underscore": {
    send: register({ deployment: "blue_green" }),
    code: 4422,
    reason: /^register\.deployment: contains an underscore/,
  },
  "a deployment with whitespace": {
    send: register({ deployment: "blue green" }),
    code: 4422,
    reason: /^register\.deployment:/,
  },
  "a deployment with a control character": {
    send: register({ deployment: "blue\u0007" }),
    code: 4422,
    reason: /^register\.deployment:/,
  },
  "a namespace that would part keys": {
    send: register({ namespace: "a:b" }),
    code: 4422,
    reason: /^register\.namespace:/,
  },
  "a namespace with braces": {
    send: register({ namespace: "a}" }),
    code: 4422,
    reason: /^register\.namespace:/,
  },
  "a namespace that is too long": {
    send: register({ namespace: "n".repeat(65) }),
    code: 4422,
    reason: /^register\.namespace:/,
  },
  "an agent name that is too long": {
    send: register({ agentName: "a".repeat(257) }),
    code: 4422,
    reason: /^register\.agent_name:/,
  },
  "a version that is too long": {
    send: register({ version: "v".repeat(65) }),
    code: 4422,
    reason: /^register\.version:/,
  },
  "a truncated message": { send: raw(0x0a, 0x10, 0x01), code: 4400, reason: /^frame:/ },
  "a bad wire type": { send: raw(0x0f), code: 4400, reason: /^frame:/ },
  "invalid UTF-8": { send: raw(0x0a, 0x04, 0x42, 0x02, 0xc3, 0x28), code: 4400, reason: /^frame:/ },
  "garbage as text": { send: text("hello?"), code: 4400, reason: /^frame:/ },
  "truncated JSON": { send: text('{"register":{'), code: 4400, reason: /^frame:/ },
  "JSON of the wrong type": {
    send: text('{"register":{"agentName":7}}'),
    code: 4400,
    reason: /^register\.agentName/,
  },
  "JSON that is no object": { send: text("[]"), code: 4400, reason: /./ },
  "a frame that is too large": {
    send: (worker) => worker.sendRaw(new Uint8Array(MAX_FRAME_BYTES + 1)),
    code: 1009,
    reason: /./,
  },
  "an answer before registration": {
    send: (worker) => worker.accept("AJ_x"),
    code: 4422,
    reason: /^not registered/,
  },
  "a report before registration": {
    send: (worker) => worker.report("AJ_x", 2),
    code: 4422,
    reason: /^not registered/,
  },
  "a simulation before registration": {
    send: (worker) => worker.simulate({ name: "room" }),
    code: 4422,
    reason: /^not registered/,
  },
  "a migration before registration": {
    send: (worker) => worker.migrate(["AJ_x"]),
    code: 4422,
    reason: /^not registered/,
  },
  "a second register": { send: register({}), code: 4409, reason: /registered already/, registered: true },
  "a simulation without a room": {
    send: (worker) => worker.simulate(null),
    code: 4422,
    reason: /^simulate_job\.room:/,
    registered: true,
  },
  "a simulation whose room has no name": {
    send: (worker) => worker.simulate({ sid: "RM_x" }),
    code: 4422,
    reason: /^simulate_job\.room:/,
    registered: true,
  },
  "a simulation whose room's name is too long": {
    send: (worker) => worker.simulate({ name: "r".repeat(513) }),
    code: 4422,
    reason: /^simulate_job\.room\.name:/,
    registered: true,
  },
  "a simulation whose room is too large": {
    send: (worker) => worker.simulate({ name: "room", metadata: "m".repeat(600_000) }),
    code: 4422,
    reason: /^simulate_job\.room: larger/,
    registered: true,
  },
  "a migration of too many jobs": {
    send: (worker) =>
      worker.migrate(Array.from({ length: MAX_MIGRATED_JOBS + 1 }, (_, index) => `AJ_${index}`)),
    code: 4422,
    reason: /^migrate_job\.job_ids: more than/,
    registered: true,
  },
  "a migration of what is no job": {
    send: (worker) => worker.migrate(["AJ_x", "no id"]),
    code: 4422,
    reason: /^migrate_job\.job_ids:/,
    registered: true,
  },
  "a report on what is no job": {
    send: (worker) => worker.report("no id", 2),
    code: 4422,
    reason: /^update_job\.job_id:/,
    registered: true,
  },
};

/** The namespace's keys without the session of the worker that is refused, as they are once it is gone. */
async function settledDump({ dump }: Bench, gone: WorkerClient): Promise<Record<string, unknown>> {
  return await waitUntil("the refused worker's session is gone", async () => {
    const seen = await dump();
    return gone.id !== "" && JSON.stringify(seen).includes(gone.id) ? undefined : seen;
  });
}

async function untouched(
  test: Bench,
  gateway: RunningGateway,
  other: WorkerClient,
  before: unknown,
  refused: WorkerClient,
) {
  expect(await settledDump(test, refused)).toEqual(before);
  expect(await test.client.exists(`muster:{default}:sessions`)).toBe(0);
  expect(other.isOpen).toBe(true);
  await other.ping();
  await waitUntil("only the other socket is left", () => gateway.connections() === 1);
}

describe.each(TRANSPORT_KINDS)("refusals on %s", (transport) => {
  it.each(Object.entries(REFUSALS))("closes on %s", async (_what, { send, code, reason, registered }) => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const other = await test.registered(gateway, "other");
    const before = await test.dump();
    const worker = await test.worker(gateway);
    if (registered) {
      // Its pool stays known after it has left; the rest must be as before.
      await worker.register({ namespace: test.field, agentName: "other" });
    }

    send(worker, test.field);

    const closed = await worker.closed();
    expect(closed.code).toBe(code);
    expect(closed.reason).toMatch(reason);
    const pools = `muster:{${test.namespace}}:pools`;
    const seen = await settledDump(test, worker);
    await untouched(test, gateway, other, { ...before, [pools]: seen[pools] }, worker);
  });

  it("closes when there is no register in time, ping and update_worker or not", async () => {
    const test = await bench();
    const gateway = await test.start({ transport, policy: { registerTimeoutMs: 150 } });
    const other = await test.registered(gateway, "other");
    const before = await test.dump();
    const worker = await test.worker(gateway);
    expect((await worker.ping(7n)).lastTimestamp).toBe(7n);
    worker.sample({ status: 0, load: 0.3 });

    expect(await worker.closed()).toMatchObject({ code: 4408, reason: "no register within 150 ms" });
    await untouched(test, gateway, other, before, worker);
  });

  it("ignores a frame of a kind that it does not know", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const worker = await test.worker(gateway);
    worker.sendRaw(Uint8Array.from([0xa2, 0x06, 0x00]));
    worker.sendRaw(encodeWorkerMessage({ case: "updateWorker", value: { load: 1 } }));
    await worker.register({ namespace: test.field });
    expect(worker.isOpen).toBe(true);
  });

  it("counts an answer to no offer and a report on no job, and changes nothing", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const worker = await test.registered(gateway);
    const before = await test.dump();
    worker.accept("AJ_unknown");
    worker.accept("no id at all");
    worker.reject("AJ_unknown.2", { terminate: true });
    worker.report("AJ_unknown", 1);
    worker.report("AJ_unknown", 0);
    worker.report("AJ_unknown", 9);
    await waitUntil("the report was refused", () => gateway.counts["report_refused.unknown_job"] === 1);
    await worker.ping();
    expect(gateway.counts.answer_ignored).toBe(3);
    expect(await test.dump()).toEqual(before);
    expect(worker.isOpen).toBe(true);
  });
});
