/** How a dispatcher of its own is told of LiveKit. */

import { loadConfig } from "@muster/runtime/config";
import { expect, test } from "vitest";
import { dispatcherSchema, livekitFrom } from "../src/config.js";

const load = (given: Record<string, string>) =>
  loadConfig({
    schema: dispatcherSchema,
    env: { MUSTER_REDIS_URL: "redis://127.0.0.1:6379", ...given },
    argv: [],
    envPrefix: "MUSTER_",
  });

test("none is configured, and none is asked", () => {
  expect(livekitFrom(load({}))).toEqual({ url: undefined, keys: new Map() });
});

test("its keys are Muster's, unless it has its own", () => {
  const shared = { MUSTER_LIVEKIT_URL: "ws://livekit:7880", MUSTER_KEYS: "a: secret-a" };
  expect(livekitFrom(load(shared))).toEqual({ url: "ws://livekit:7880", keys: new Map([["a", "secret-a"]]) });
  expect(livekitFrom(load({ ...shared, MUSTER_LIVEKIT_KEYS: "b: secret-b" })).keys).toEqual(
    new Map([["b", "secret-b"]]),
  );
});

test.each([
  [{ MUSTER_LIVEKIT_URL: "ws://livekit:7880" }, /^MUSTER_LIVEKIT_KEYS .*: must be given with livekitUrl/],
  [{ MUSTER_LIVEKIT_URL: "ftp://livekit", MUSTER_KEYS: "a: b" }, /^MUSTER_LIVEKIT_URL: must be/],
  [{ MUSTER_LIVEKIT_URL: "http://user:secret@livekit", MUSTER_KEYS: "a: b" }, /^MUSTER_LIVEKIT_URL: must be/],
])("what cannot be asked is refused, by name: %o", (given, problem) => {
  expect(() => load(given)).toThrow(
    expect.objectContaining({ problems: [expect.stringMatching(problem)] }) as Error,
  );
});
