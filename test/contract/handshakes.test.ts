/** What is a WebSocket handshake, on both of the gateway's servers: RFC 6455 to the letter. And the frames that follow it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { type Door, openDoor } from "./doors.js";
import { head, post } from "./framing-rows.js";
import { RawCall } from "./raw-call.js";

const KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION = "sec-websocket-version: 13";
const UPGRADE = ["connection: Upgrade", "upgrade: websocket"];
const ask = (line: string, ...lines: string[]) => head(line, "host: a", ...lines);
const GET_AGENT = "GET /agent HTTP/1.1";

const REFUSED: [name: string, sends: string, status: number][] = [
  ["version 12", ask(GET_AGENT, ...UPGRADE, KEY, "sec-websocket-version: 12"), 426],
  ["version 8", ask(GET_AGENT, ...UPGRADE, KEY, "sec-websocket-version: 8"), 426],
  ["two versions", ask(GET_AGENT, ...UPGRADE, KEY, VERSION, "sec-websocket-version: 8"), 426],
  ["no version", ask(GET_AGENT, ...UPGRADE, KEY), 426],
  ["no key", ask(GET_AGENT, ...UPGRADE, VERSION), 400],
  ["a short key", ask(GET_AGENT, ...UPGRADE, "sec-websocket-key: abc", VERSION), 400],
  [
    "a key that is no base64",
    ask(GET_AGENT, ...UPGRADE, `sec-websocket-key: ${"!".repeat(24)}`, VERSION),
    400,
  ],
  ["two keys", ask(GET_AGENT, ...UPGRADE, KEY, "sec-websocket-key: AAAAIHNhbXBsZSBub25jZQ==", VERSION), 400],
  ["no connection", ask(GET_AGENT, "upgrade: websocket", KEY, VERSION), 400],
  [
    "connection: keep-alive",
    ask(GET_AGENT, "connection: keep-alive", "upgrade: websocket", KEY, VERSION),
    400,
  ],
  ["no upgrade", ask(GET_AGENT, "connection: Upgrade", KEY, VERSION), 400],
  ["upgrade: h2c", ask(GET_AGENT, "connection: Upgrade", "upgrade: h2c", KEY, VERSION), 400],
  ["POST", ask("POST /agent HTTP/1.1", ...UPGRADE, KEY, VERSION), 400],
  ["a body", `${ask(GET_AGENT, ...UPGRADE, KEY, VERSION, "content-length: 3")}abc`, 400],
  ["a detour", ask("GET /x/../agent HTTP/1.1", ...UPGRADE, KEY, VERSION), 400],
  ["a host that is none", head(GET_AGENT, "host: x/y#", ...UPGRADE, KEY, VERSION), 400],
  ["HTTP/1.0", ask("GET /agent HTTP/1.0", ...UPGRADE, KEY, VERSION), 505],
];
const TAKEN: [name: string, sends: string][] = [
  ["as aiohttp asks", ask(GET_AGENT, "connection: upgrade", "upgrade: websocket", VERSION, KEY)],
  [
    "through a proxy",
    ask("GET //agent HTTP/1.1", "connection: keep-alive, Upgrade", "upgrade: WebSocket", KEY, VERSION),
  ],
  ["with a query", ask("GET /agent/?protocol=15&url=http://b/../c HTTP/1.1", ...UPGRADE, KEY, VERSION)],
];
/** A binary frame of "hello, world" and a ping behind it, both without a mask. */
const UNMASKED = Buffer.from([0x82, 12, ...Buffer.from("hello, world"), 0x89, 2, 0x68, 0x69]).toString(
  "latin1",
);

describe.each(["uws", "ws"] as const)("a handshake on %s", (name) => {
  let door: Door;
  let call: RawCall | undefined;

  beforeAll(async () => {
    door = await openDoor(name);
  });
  beforeEach(() => {
    door.seen.length = 0;
  });
  afterEach(() => void call?.tcp.destroy());
  afterAll(() => door.close());

  test.each(REFUSED)("with %s is refused and closed", async (_name, sends, status) => {
    call = await RawCall.send(door.port, sends);
    await waitUntil("the connection is closed", () => call?.closed);
    expect([call.statuses, door.seen]).toEqual([[status], []]);
    if (status === 426) expect(call.text.toLowerCase()).toContain("sec-websocket-version: 13");
  });

  test.each(TAKEN)("%s is taken", async (_name, sends) => {
    call = await RawCall.send(door.port, sends);
    await waitUntil("it is answered", () => call?.statuses.length === 1);
    expect([call.statuses, call.closed]).toEqual([[101], false]);
    expect(door.seen).toHaveLength(1);
  });

  test("an offer of h2c is answered as HTTP", async () => {
    call = await RawCall.send(
      door.port,
      ask("GET /x HTTP/1.1", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c"),
    );
    await waitUntil("it is answered", () => call?.statuses.length === 1);
    expect([call.statuses, door.seen]).toEqual([[200], ["GET /x"]]);
  });

  // Node's server lets go of the connection with such a request, and would hand out an empty body.
  test("an offer of h2c with a body is never served without it", async () => {
    call = await RawCall.send(
      door.port,
      post(["connection: Upgrade", "upgrade: h2c", "content-length: 3"], "abc"),
    );
    await waitUntil("it is answered", () => call?.statuses.length === 1);
    expect([call.statuses, door.seen]).toEqual(name === "uws" ? [[200], ["POST /x abc"]] : [[400], []]);
  });

  // uWebSockets.js does not look at the mask bit: it takes four bytes of the text for the mask.
  test("frames without a mask never arrive as what they say", async () => {
    call = await RawCall.send(door.port, ask(GET_AGENT, ...UPGRADE, KEY, VERSION));
    await waitUntil("it is answered", () => call?.statuses.length === 1);
    call.tcp.write(Buffer.from(UNMASKED, "latin1"));
    if (name === "ws") {
      await waitUntil("the socket is closed", () => call?.closed);
      expect(door.messages).toEqual([]);
      return;
    }
    const [message] = await waitUntil("something arrived", () => door.messages.length && door.messages);
    expect(message).not.toContain("hello");
    door.messages.length = 0;
  });
});
