/** A request has a bound on its time, on every server: head and body, also when each second brings a byte. */
import { afterEach, describe, expect, test } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { DOORS, type Door, type DoorName, openDoor } from "./doors.js";
import { get, head } from "./framing-rows.js";
import { RawCall } from "./raw-call.js";

const REQUEST_MS = 1_000;
const TRICKLE_MS = 100;
const HEAD_LINES = "GET / HTTP/1.1\r\nhost: a\r\n";
const LONG_BODY = head("POST / HTTP/1.1", "host: a", "content-length: 1000");

let door: Door;
let call: RawCall;
let trickle: NodeJS.Timeout | undefined;
afterEach(async () => {
  clearInterval(trickle);
  call.tcp.destroy();
  await door.close();
});

async function late(name: DoorName, sends: string, each = ""): Promise<void> {
  door = await openDoor(name, REQUEST_MS);
  call = await RawCall.send(door.port, sends);
  if (each !== "") trickle = setInterval(() => call.tcp.write(each), TRICKLE_MS);
  const beganAtMs = performance.now();
  await waitUntil("the connection is closed", () => call.closed, { deadlineMs: 20_000 });
  expect(performance.now() - beganAtMs).toBeGreaterThan(REQUEST_MS / 2);
  expect([call.statuses, door.seen]).toEqual([[408], []]);
}

describe.each(DOORS)("late on %s:", (name) => {
  test("a body that does not come", () => late(name, LONG_BODY));
  test("a body that stops", () => late(name, `${LONG_BODY}abc`));
  test("a body of a byte at a time", () => late(name, LONG_BODY, "y"));
  test("chunks of a byte at a time", () =>
    late(name, head("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked"), "1\r\ny\r\n"));

  test("a body in time is taken, and the connection kept", async () => {
    door = await openDoor(name, REQUEST_MS);
    call = await RawCall.send(door.port, head("POST / HTTP/1.1", "host: a", "content-length: 6"));
    for (const part of ["abc", "def"]) {
      call.tcp.write(part);
      const other = await RawCall.send(door.port, get("/other"));
      await waitUntil("another call is answered", () => other.statuses.length === 1);
      other.tcp.destroy();
    }
    await waitUntil("the answer is there", () => call.statuses.length === 1);
    expect([call.statuses, call.closed]).toEqual([[200], false]);
    expect(door.seen).toContain("POST / abcdef");
  });
});

/** uWebSockets.js has its own bound, 32 s for each of these, which cannot be set. */
describe.each(["ws", "node"] as const)("late on %s:", (name) => {
  test("a head that does not come", () => late(name, ""));
  test("a head that stops", () => late(name, HEAD_LINES));
  test("a head of a byte at a time", () => late(name, `${HEAD_LINES}x: `, "y"));
});
