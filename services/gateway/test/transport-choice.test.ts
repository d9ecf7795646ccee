/** Which transport is chosen, what is said when the native one cannot load, and how addresses are spelt. */
import type { Log } from "@muster/runtime/log";
import { describe, expect, test } from "vitest";
import { type ChooseTransportDeps, chooseTransport } from "../src/transport/choose-transport.js";
import { addressFromBytes, addressFromText } from "../src/transport/remote-address.js";
import { UwsLoadError } from "../src/transport/uws-native.js";
import { startUwsTransport } from "../src/transport/uws-transport.js";
import { startWsTransport } from "../src/transport/ws-transport.js";

/** As the package words it: the same paragraph about Node, whatever the system said. */
const wrapped = (said: string) =>
  new Error(
    `This version of uWS.js (v20.57.0) supports only Node.js versions 20, 22, 24 and 25.\n\nError: ${said}`,
  );

async function choose(choice: ChooseTransportDeps["choice"], failure?: Error) {
  const warnings: { fields: object; msg: string }[] = [];
  const quiet = () => {};
  const warn = (fields: object, msg: string) => void warnings.push({ fields, msg });
  const log: Log = { debug: quiet, info: quiet, warn, error: quiet, child: () => log };
  const load = () => Promise.reject(new UwsLoadError(failure));
  return { warnings, start: await chooseTransport({ choice, log, ...(failure ? { load } : {}) }) };
}

describe("choice", () => {
  test("the native one where it loads, ws where it is asked for", async () => {
    expect(await choose("auto")).toEqual({ warnings: [], start: startUwsTransport });
    expect(await choose("uws")).toEqual({ warnings: [], start: startUwsTransport });
    expect(await choose("ws")).toEqual({ warnings: [], start: startWsTransport });
  });

  test.each([
    [
      "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /a/uws_linux_x64_115.node)",
      /relink-uwebsockets\.mjs/,
    ],
    ["/lib/libc.so.6: version `GLIBC_2.36' not found (required by /a/uws.node)", /glibc 2\.36 or later/],
    ["Error loading shared library ld-linux-x86-64.so.2: No such file or directory", /musl/],
    [
      "Cannot find module './uws_linux_x64_108.node'\nRequire stack:\n- /a/uws.js",
      /use Node 20, 22, 24 or 25/,
    ],
    ["Cannot find package 'uWebSockets.js'", /npm ci/],
  ])("falls back to ws and says why: %s", async (said, remedy) => {
    const { start, warnings } = await choose("auto", wrapped(said));
    expect(start).toBe(startWsTransport);
    expect(warnings).toEqual([
      {
        fields: {
          cause: `uWebSockets.js cannot be loaded: ${said.split("\n")[0]}`,
          remedy: expect.stringMatching(remedy),
        },
        msg: expect.stringContaining("ws instead of uWebSockets.js"),
      },
    ]);
  });

  test("no fallback when uWebSockets.js was asked for", async () => {
    await expect(choose("uws", wrapped("version `GLIBC_2.38' not found"))).rejects.toThrow("GLIBC_2.38");
  });
});

describe("remote address", () => {
  test.each([
    [[127, 0, 0, 1], "127.0.0.1"],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3], "10.1.2.3"],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"],
    [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd], "2001:db8::abcd"],
    [[], ""],
  ])("%j is %s", (bytes, text) => {
    expect(addressFromBytes(Uint8Array.from(bytes).buffer)).toBe(text);
  });

  test.each([
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["10.1.2.3", "10.1.2.3"],
    ["::1", "::1"],
    ["2001:db8::abcd", "2001:db8::abcd"],
  ])("node's %s is %s", (given, text) => {
    expect(addressFromText(given)).toBe(text);
  });
});
