/**
 * One reading of a request, on every server that Muster listens with. What could be read in two ways, by a proxy and by
 * us, is refused and its connection closed; what honest clients send is served.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { DOORS, type Door, openDoor } from "./doors.js";
import { get, type Outcome, ROWS } from "./framing-rows.js";
import { RawCall } from "./raw-call.js";

describe.each(DOORS)("framing on %s", (name) => {
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

  test.each(ROWS.map((row) => [row.name, row] as const))("%s", async (_name, { sends, want, except }) => {
    call = await RawCall.send(door.port, sends);
    await meets(call, except?.[name] ?? want);
  });

  async function meets(call: RawCall, outcome: Outcome): Promise<void> {
    const shows = () =>
      `${call.statuses} ${call.closed ? "closed" : "open"}, seen: ${door.seen}\n${call.text}`;
    if (outcome === "waits") {
      await roundTrip();
      expect([call.text, call.closed, door.seen], shows()).toEqual(["", false, ["GET /round-trip"]]);
      return;
    }
    if ("refused" in outcome) {
      await waitUntil("the connection is closed", () => call.closed);
      expect(door.seen, shows()).toEqual([]);
      const { refused } = outcome;
      if (refused.length === 0) expect(call.statuses, shows()).toEqual([]);
      else expect(refused, shows()).toContain(call.statuses[0]);
      expect(call.statuses.length, shows()).toBeLessThanOrEqual(1);
      return;
    }
    const { served, closes = false } = outcome;
    await waitUntil("the answers are there", () => call.statuses.length === served.length || call.closed);
    if (closes) await waitUntil("the connection is closed", () => call.closed);
    else await roundTrip();
    expect([handled(), call.closed], shows()).toEqual([[...served].sort(), closes]);
    expect(call.statuses, shows()).toEqual(served.map(() => 200));
  }

  /** Of requests that came together, one without a body may be handled first. */
  function handled(): string[] {
    return door.seen.filter((seen) => seen !== "GET /round-trip").sort();
  }

  /** On another connection: whatever was sent before has been read. */
  async function roundTrip(): Promise<void> {
    const other = await RawCall.send(door.port, get("/round-trip"));
    await waitUntil("another call is answered", () => other.statuses.length === 1);
    other.tcp.destroy();
  }
});
