import { readFileSync } from "node:fs";
import { DISPATCH_ERROR_CODES } from "@muster/domain/errors";
import { CLOSE_CODES, closeCodeOf, closeNameOf, closeReason } from "@muster/wire/close-codes";
import { buildServerInfo } from "@muster/wire/server-info";
import { TWIRP_ERRORS } from "@muster/wire/twirp-errors";
import { describe, expect, it } from "vitest";

describe("close codes", () => {
  const document = readFileSync(new URL("../../../proto/PROTOCOL.md", import.meta.url), "utf8");

  it("stand in PROTOCOL.md as they are here", () => {
    const section = document.slice(
      document.indexOf("## Close codes"),
      document.indexOf("## Token for the agent"),
    );
    const rows = [...section.matchAll(/^\| (\d{4}) +\| (\w+) +\| (.+?) +\|$/gm)].map(
      ([, code, name, meaning]) => [name, Number(code), meaning],
    );
    expect(rows).toEqual(
      Object.entries(CLOSE_CODES).map(([name, { code, meaning }]) => [name, code, meaning]),
    );
  });

  it("are codes that a server may send, each once", () => {
    const codes = Object.values(CLOSE_CODES).map(({ code }) => code as number);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) {
      expect(
        [1000, 1001, 1009, 1011, 1013].includes(code) || (code >= 4000 && code <= 4999),
        String(code),
      ).toBe(true);
    }
  });

  it("exist for every error", () => {
    const named = Object.fromEntries(
      DISPATCH_ERROR_CODES.map((code) => [code, [closeNameOf(code), closeCodeOf(code)]]),
    );
    expect(named).toMatchObject({
      malformed: ["malformed", 4400],
      too_large: ["too_large", 1009],
      invalid_argument: ["refused", 4422],
      already_exists: ["registered_twice", 4409],
      internal: ["internal", 1011],
      unavailable: ["too_slow", 1013],
    });
    expect(Object.values(named).every(([, code]) => typeof code === "number")).toBe(true);
  });

  it("carry a reason of at most 123 bytes, cut between characters", () => {
    expect(closeReason("register.deployment: bad")).toBe("register.deployment: bad");
    expect(closeReason("😀".repeat(40))).toBe("😀".repeat(30));
    expect(closeReason(`${"a".repeat(122)}ü`)).toBe("a".repeat(122));
    expect(closeReason("a".repeat(200))).toHaveLength(123);
  });
});

describe("Twirp errors", () => {
  /** The specification's table, for the codes in use. */
  const SPEC: Record<string, number> = {
    invalid_argument: 400,
    malformed: 400,
    unauthenticated: 401,
    permission_denied: 403,
    not_found: 404,
    already_exists: 409,
    failed_precondition: 412,
    resource_exhausted: 429,
    unavailable: 503,
    internal: 500,
  };

  it.each(DISPATCH_ERROR_CODES)("%s has the status that goes with its code", (code) => {
    const { twirpCode, httpStatus } = TWIRP_ERRORS[code];
    expect(httpStatus).toBe(code === "too_large" ? 413 : SPEC[twirpCode]);
  });
});

describe("server info", () => {
  it("describes a livekit-server of agent protocol 1", () => {
    expect({ ...buildServerInfo({ version: "0.1.0", region: "eu", nodeId: "NO_1" }) }).toEqual({
      edition: 0,
      version: "0.1.0",
      protocol: 17,
      agentProtocol: 1,
      region: "eu",
      nodeId: "NO_1",
    });
  });
});
