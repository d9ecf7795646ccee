import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import { createRoomService, type RoomServiceDeps } from "@muster/livekit/create-room-service";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import { type Clock, systemClock } from "@muster/runtime/clock";
import { type Fault, type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** What a call does when livekit-server is slow, gone, busy, or something else altogether. */

let livekit: LivekitStandIn;
let told: string[];
let release: () => void;
let released: Promise<void>;

beforeEach(async () => {
  livekit = await startLivekitStandIn();
  livekit.rooms.startRoom("r");
  told = [];
  released = new Promise((resolve) => {
    release = resolve;
  });
});
afterEach(async () => {
  release();
  await livekit.stop();
});

function service(bounds: RoomServiceDeps["bounds"] = {}, more: Partial<RoomServiceDeps> = {}): RoomService {
  return createRoomService({
    url: livekit.url,
    apiKey: livekit.apiKey,
    apiSecret: livekit.apiSecret,
    clock: systemClock,
    random: () => 0,
    onCall: (_method, outcome) => told.push(outcome),
    bounds: { backOffMs: 2, ...bounds },
    ...more,
  });
}

async function errorOf(call: Promise<unknown>): Promise<LivekitError> {
  const error = await call.then(
    () => new Error("it answered"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof LivekitError)) throw error;
  return error;
}

const UNAVAILABLE: Fault = {
  kind: "twirp",
  status: 503,
  code: "unavailable",
  msg: "no response from servers",
};
const hold = (): Fault => ({ kind: "hold", until: released });

describe("a call is repeated", () => {
  it.each<[string, Fault]>([
    ["the server is unavailable", UNAVAILABLE],
    ["the server fails", { kind: "twirp", status: 500, code: "internal", msg: "could not lock room" }],
    ["a proxy has no server", { kind: "answer", status: 502, contentType: "text/html", body: "<h1>Bad" }],
    ["the server has too much to do", { kind: "twirp", status: 429, code: "resource_exhausted", msg: "" }],
    ["the connection breaks", { kind: "cut", when: "before" }],
    ["the connection breaks within the answer", { kind: "cut", when: "midst" }],
  ])("when %s, and then answers", async (_, fault) => {
    livekit.fail("ListRooms", fault, 2);
    expect(await service().listRooms()).toHaveLength(1);
    expect(told).toEqual(["ok"]);
  });

  it("twice at most", async () => {
    livekit.fail("ListRooms", UNAVAILABLE, 3);
    const error = await errorOf(service().listRooms());
    expect(error).toMatchObject({ code: "unavailable", method: "ListRooms", httpStatus: 503 });
    expect(error.message).toBe('LiveKit ListRooms: 503 unavailable "no response from servers"');
    // The three faults are used up: the next call is answered at once.
    expect(await service().listRooms()).toHaveLength(1);
    expect(told).toEqual(["unavailable", "ok"]);
  });

  it.each([
    [0, [50, 100]],
    [0.5, [100, 200]],
    [1 - Number.EPSILON, [150, 300]],
  ])("after a back-off that doubles and spreads (random %d)", async (random, expected) => {
    const waits: number[] = [];
    const { clock } = quickClock((delayMs) => delayMs < 1_000 && waits.push(delayMs));
    livekit.fail("ListRooms", UNAVAILABLE, 2);
    await service({ backOffMs: 100 }, { clock, random: () => random }).listRooms();
    expect(waits.map(Math.round)).toEqual(expected);
  });

  it("not when the back-off would outlast the call", async () => {
    livekit.fail("ListRooms", UNAVAILABLE, 2);
    const error = await errorOf(service({ backOffMs: 60_000 }).listRooms());
    expect(error.code).toBe("unavailable");
  });

  it("and comes through when the server comes back", async () => {
    await livekit.goDown();
    const answer = service({ tries: 50, backOffMs: 5 }).listRooms();
    await livekit.comeBack();
    expect(await answer).toHaveLength(1);
  });
});

describe("a call ends as an error", () => {
  it("unreachable when nobody listens", async () => {
    await livekit.goDown();
    const error = await errorOf(service().listRooms());
    expect(error).toMatchObject({ code: "unreachable", httpStatus: 0 });
    expect(error.message).toMatch(/^LiveKit ListRooms: no answer \(.*ECONNREFUSED/);
  });

  const refusals: [string, Fault, string][] = [
    ["permission_denied", { kind: "twirp", status: 403, code: "permission_denied", msg: "x" }, "x"],
    [
      "invalid_argument",
      { kind: "twirp", status: 400, code: "invalid_argument", msg: "metadata size exceeds limits" },
      "metadata size exceeds limits",
    ],
    [
      "timed_out",
      { kind: "twirp", status: 408, code: "deadline_exceeded", msg: "request timed out" },
      "timed",
    ],
    ["refused", { kind: "twirp", status: 501, code: "unimplemented", msg: "not here" }, "not here"],
    ["refused", { kind: "answer", status: 418, contentType: "text/plain", body: "teapot" }, "teapot"],
    ["malformed", { kind: "twirp", status: 404, code: "bad_route", msg: "no handler" }, "url of a livekit"],
    [
      "malformed",
      { kind: "answer", status: 404, contentType: "text/html", body: "<h1>" },
      "url of a livekit",
    ],
    [
      "malformed",
      { kind: "answer", status: 200, contentType: "text/html", body: "<h1>" },
      "url of a livekit",
    ],
    ["malformed", { kind: "answer", status: 302, contentType: "text/html", body: "" }, "url of a livekit"],
    [
      "malformed",
      { kind: "answer", status: 200, contentType: "application/protobuf", body: "\xff\xff\xff" },
      "not a valid protobuf message",
    ],
  ];
  it.each(refusals)("%s, without another try: %j", async (code, fault, problem) => {
    livekit.fail("ListRooms", fault);
    const error = await errorOf(service().listRooms());
    expect(error.code).toBe(code);
    expect(error.message).toContain(problem);
    expect(told).toEqual([code]);
    expect(livekit.calls).toEqual([]);
  });

  it("not_found where a room must be", async () => {
    livekit.fail("CreateRoom", { kind: "twirp", status: 404, code: "not_found", msg: "no node" });
    expect((await errorOf(service().createRoom({ name: "x" }))).code).toBe("not_found");
  });

  it("too_large when the answer does not end", async () => {
    const body = new Uint8Array(10 * 1024 * 1024 + 1);
    livekit.fail("ListRooms", { kind: "answer", status: 200, contentType: "application/protobuf", body });
    expect((await errorOf(service().listRooms())).code).toBe("too_large");
  });

  it("with a message that does not flood a log", async () => {
    const msg = "x".repeat(100_000);
    livekit.fail("ListRooms", { kind: "twirp", status: 400, code: "invalid_argument", msg });
    expect((await errorOf(service().listRooms())).message.length).toBeLessThan(500);
  });
});

describe("time", () => {
  it("bounds a try, which is then not repeated", async () => {
    livekit.fail("ListRooms", hold());
    const error = await errorOf(service({ tryMs: 30 }).listRooms());
    expect(error).toMatchObject({ code: "timed_out", message: "LiveKit ListRooms: no answer within 30 ms" });
    expect(told).toEqual(["timed_out"]);
  });

  it("bounds the call with all its tries", async () => {
    livekit.fail("ListRooms", UNAVAILABLE);
    livekit.fail("ListRooms", hold());
    expect((await errorOf(service({ overallMs: 60 }).listRooms())).code).toBe("timed_out");
  });

  it("is the caller's to choose", async () => {
    livekit.fail("ListRooms", hold());
    const error = await errorOf(service().listRooms(undefined, { overallMs: 25 }));
    expect(error.message).toMatch(/no answer within \d+ ms/);
  });

  it("bounds an answer that never ends, too", async () => {
    // Headers and some bytes come, the rest does not: held by a response whose length is a lie.
    const { url, stop } = await trickling();
    const error = await errorOf(service({ tryMs: 50 }, { url }).listRooms());
    expect(error.code).toBe("timed_out");
    await stop();
  });

  it("leaves no timer and no listener behind", async () => {
    const { clock, pending } = quickClock(() => false);
    const { signal } = new AbortController();
    livekit.fail("ListRooms", UNAVAILABLE, 1);
    await service({}, { clock }).listRooms(undefined, { signal });
    livekit.fail("ListRooms", { kind: "twirp", status: 400, code: "malformed", msg: "" });
    await errorOf(service({}, { clock }).listRooms(undefined, { signal }));
    expect(pending()).toBe(0);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("a caller that gives up", () => {
  it("is let go at once, in the midst of a try", async () => {
    livekit.fail("ListRooms", hold());
    const caller = new AbortController();
    const call = errorOf(service().listRooms(undefined, { signal: caller.signal }));
    await waitUntil("the call arrived", () => livekit.peakUnderWay === 1);
    caller.abort();
    expect((await call).code).toBe("canceled");
    expect(told).toEqual(["canceled"]);
  });

  it("is let go at once, between two tries", async () => {
    const caller = new AbortController();
    const { clock } = quickClock((delayMs) => {
      if (delayMs === 1_000) queueMicrotask(() => caller.abort());
      return false;
    });
    livekit.fail("ListRooms", UNAVAILABLE, 3);
    const call = service({ backOffMs: 2_000 }, { clock }).listRooms(undefined, { signal: caller.signal });
    expect((await errorOf(call)).code).toBe("canceled");
  });

  it("before it began sends nothing", async () => {
    const call = service().listRooms(undefined, { signal: AbortSignal.abort() });
    expect((await errorOf(call)).code).toBe("canceled");
    expect(livekit.peakUnderWay).toBe(0);
  });
});

describe("many calls", () => {
  it("are eight at once, the others in line in their order", async () => {
    livekit.fail("GetParticipant", hold(), 8);
    const rooms = service();
    const calls = Array.from({ length: 20 }, (_, number) => rooms.getParticipant("r", `p${number}`));
    await waitUntil("eight are under way", () => livekit.peakUnderWay === 8);
    expect(livekit.calls).toEqual([]);
    release();
    expect(await Promise.all(calls)).toEqual(Array(20).fill(undefined));
    expect(livekit.peakUnderWay).toBe(8);
    const asked = livekit.calls.map(({ request }) => String(request.identity));
    expect(new Set(asked).size).toBe(20);
  });

  it("are served in the order in which they came", async () => {
    livekit.fail("GetParticipant", hold());
    const rooms = service({ callsAtOnce: 1 });
    const calls = Array.from({ length: 10 }, (_, number) => rooms.getParticipant("r", `p${number}`));
    await waitUntil("the first is under way", () => livekit.peakUnderWay === 1);
    release();
    await Promise.all(calls);
    expect(livekit.calls.map(({ request }) => request.identity)).toEqual(
      Array.from({ length: 10 }, (_, number) => `p${number}`),
    );
  });

  it("wait no longer than they may, and leave the line", async () => {
    livekit.fail("GetParticipant", hold());
    const rooms = service({ callsAtOnce: 1 });
    const first = rooms.getParticipant("r", "first");
    const late = errorOf(rooms.getParticipant("r", "late", { overallMs: 20 }));
    const last = rooms.getParticipant("r", "last");
    expect((await late).code).toBe("timed_out");
    release();
    await Promise.all([first, last]);
    expect(livekit.calls.map(({ request }) => request.identity)).toEqual(["first", "last"]);
  });

  it("go on after failures: a place is given back whatever happens", async () => {
    const rooms = service({ callsAtOnce: 1, tries: 1 });
    livekit.fail("ListRooms", UNAVAILABLE, 5);
    for (let count = 0; count < 5; count++) await errorOf(rooms.listRooms());
    expect(await rooms.listRooms()).toHaveLength(1);
  });
});

/** Runs at once what `isQuick` says of its delay; counts what is still set. */
function quickClock(isQuick: (delayMs: number) => unknown): { clock: Clock; pending: () => number } {
  let pending = 0;
  const clock: Clock = {
    now: systemClock.now,
    setTimer(delayMs, run) {
      let isSet = true;
      const clear = () => {
        if (isSet) pending--;
        isSet = false;
      };
      pending++;
      const cancel = systemClock.setTimer(isQuick(delayMs) ? 0 : delayMs, () => {
        clear();
        run();
      });
      return () => {
        clear();
        cancel();
      };
    },
  };
  return { clock, pending: () => pending };
}

/** A server that begins its answer and leaves it at that. */
async function trickling(): Promise<{ url: string; stop: () => Promise<unknown> }> {
  const port = await freePort();
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/protobuf", "content-length": "1000" });
    response.write("begun");
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      return closed;
    },
  };
}
