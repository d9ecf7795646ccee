import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { documentedTable } from "@muster/runtime/config-doc";
import {
  durationMs,
  flag,
  host,
  keys,
  logLevel,
  port,
  redisUrl,
  url,
  wholeNumber,
} from "@muster/runtime/config-fields";
import { HelpRequested } from "@muster/runtime/config-sources";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";

const schema = z.object({
  host: host.default("127.0.0.1").describe("where to listen"),
  port: port.default(7880).describe("where to listen | the port"),
  redisUrl: redisUrl.describe("where the ledger is kept"),
  workerLivekitUrl: url(["ws", "wss"]).optional().describe("the url handed to workers"),
  logLevel: logLevel.default("info").describe("how much is logged"),
  keys: keys.optional().describe("API keys"),
  graceMs: durationMs({ minMs: 0, maxMs: 3_600_000 }).default(35_000).describe("how long an orphan waits"),
  dev: flag.default(false).describe("devkey and secret"),
  lanes: wholeNumber({ min: 1, max: 64 }).default(8).describe("how many at once"),
});

const redis = { MUSTER_REDIS_URL: "redis://localhost" };

function load(env: Record<string, string>, argv: string[] = []) {
  return loadConfig({ schema, env, argv, envPrefix: "MUSTER_", flags: ["dev"] });
}

function problems(env: Record<string, string>, argv: string[] = []): string[] {
  try {
    load(env, argv);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-config-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, "muster.yaml");
  writeFileSync(path, text);
  return path;
}

describe("sources", () => {
  test("defaults, the file, and variables above it", () => {
    const path = file(
      "port: 7000\nredisUrl: redis://from-file\ngraceMs: 2s\nworkerLivekitUrl: wss://lk.example/\nhost: null",
    );
    expect(load({ MUSTER_PORT: "7001", MUSTER_LOG_LEVEL: "" }, ["--config", path])).toEqual({
      host: "127.0.0.1",
      port: 7001,
      redisUrl: "redis://from-file",
      workerLivekitUrl: "wss://lk.example",
      logLevel: "info",
      graceMs: 2_000,
      dev: false,
      lanes: 8,
    });
    expect(load(redis, [`--config=${path}`]).redisUrl).toBe("redis://localhost");
    expect(load(redis, ["--dev"]).dev).toBe(true);
  });

  test("other programs' variables, and those that Kubernetes makes of a Service, are none of our business", () => {
    const others = {
      PATH: "/bin",
      MUSTER_REDIS_SERVICE_HOST: "10.0.0.1",
      MUSTER_REDIS_SERVICE_PORT_TCP: "6379",
      MUSTER_REDIS_PORT: "tcp://10.0.0.1:6379",
      MUSTER_REDIS_PORT_6379_TCP_ADDR: "10.0.0.1",
    };
    expect(problems({ ...redis, ...others })).toEqual([]);
    expect(problems({ ...redis, MUSTER_PORT: "tcp://10.0.0.1:7880" })).toEqual([
      "MUSTER_PORT: must be a number between 1 and 65535; Kubernetes set it for a Service of that name: set enableServiceLinks: false",
    ]);
  });

  describe("variables that this service does not know", () => {
    const warnings = (env: Record<string, string>) => {
      const lines: string[] = [];
      loadConfig({
        schema,
        env: { ...redis, ...env },
        argv: [],
        envPrefix: "MUSTER_",
        warn: (line) => void lines.push(line),
      });
      return lines;
    };

    test("are passed over when another service, or the tests, know them", () => {
      // One letter group away from ours, and yet meant for somebody else.
      expect(warnings({ MUSTER_OFFER_TIMEOUT_MS: "3s", MUSTER_REDIS_SERVER: "/opt/redis-server" })).toEqual(
        [],
      );
    });

    test("are a problem when they look like one of its own", () => {
      expect(
        problems({ ...redis, MUSTER_GRACE: "3s", MUSTER_REDIS_URI: "redis://x", MUSTER_PROT: "1" }),
      ).toEqual([
        'MUSTER_GRACE: is not a known variable; did you mean "MUSTER_GRACE_MS"?',
        'MUSTER_REDIS_URI: is not a known variable; did you mean "MUSTER_REDIS_URL"?',
        'MUSTER_PROT: is not a known variable; did you mean "MUSTER_PORT"?',
      ]);
    });

    test("are warned of otherwise, a line each", () => {
      expect(warnings({ MUSTER_FLAVOUR: "mild", MUSTER_: "x", MUSTER_SILENT_MS: "3s" })).toEqual([
        "warning: MUSTER_FLAVOUR is not a known variable, and is ignored",
        "warning: MUSTER_ is not a known variable, and is ignored",
        'warning: MUSTER_SILENT_MS is not a known variable, and is ignored; did you mean "MUSTER_SILENCE_MS"?',
      ]);
    });

    test("are warned of on stderr", () => {
      const write = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
      try {
        load({ ...redis, MUSTER_FLAVOUR: "mild" });
        expect(write.mock.calls).toEqual([
          ["warning: MUSTER_FLAVOUR is not a known variable, and is ignored\n"],
        ]);
      } finally {
        write.mockRestore();
      }
    });
  });

  test("--help shows the table in place of a configuration", () => {
    expect(() => load({}, ["--help"])).toThrow(HelpRequested);
    expect(() => load({}, ["--help"])).toThrow(documentedTable(schema));
  });
});

describe("problems", () => {
  test("all are listed at once, each with its source and what was given", () => {
    const path = file("lanes: 0\ngrace: 3s\nhost: [a]");
    expect(
      problems({ MUSTER_PORT: "abc", MUSTER_LOG_LEVEL: "loud", MUSTER_WORKER_LIVEKIT_URI: "ws://x" }, [
        "--config",
        path,
        "--def",
      ]),
    ).toEqual([
      '--def: is not a known argument; did you mean "--dev"?',
      `grace in ${path}: is not a known key; did you mean "graceMs"?`,
      'MUSTER_WORKER_LIVEKIT_URI: is not a known variable; did you mean "MUSTER_WORKER_LIVEKIT_URL"?',
      `host in ${path}: must be a host name or an IP address, got ["a"]`,
      'MUSTER_PORT: must be a number between 1 and 65535, got "abc"',
      "MUSTER_REDIS_URL (or redisUrl in the --config file): is required: where the ledger is kept",
      'MUSTER_LOG_LEVEL: must be one of debug, info, warn, error, silent, got "loud"',
      `lanes in ${path}: must be a number between 1 and 64, got 0`,
    ]);
  });

  test.each([
    [{ MUSTER_PORT: "0" }, "MUSTER_PORT: must be a number between 1 and 65535"],
    [{ MUSTER_PORT: "65536" }, "MUSTER_PORT: must be a number"],
    [{ MUSTER_PORT: "1.5" }, "MUSTER_PORT: must be a number"],
    [{ MUSTER_GRACE_MS: "2h" }, "MUSTER_GRACE_MS: must be a duration like 500ms, 3s, 2m or 1h, between"],
    [{ MUSTER_GRACE_MS: "soon" }, "MUSTER_GRACE_MS: must be a duration"],
    [{ MUSTER_GRACE_MS: "-1" }, "MUSTER_GRACE_MS: must be a duration"],
    [{ MUSTER_DEV: "yes" }, "MUSTER_DEV: must be true or false"],
    [
      { MUSTER_WORKER_LIVEKIT_URL: "http://x" },
      "MUSTER_WORKER_LIVEKIT_URL: must be a url that starts with ws://",
    ],
    [{ MUSTER_HOST: "a b" }, "MUSTER_HOST: must be a host name"],
  ])("%j is refused", (env, problem) => {
    expect(problems({ ...redis, ...env })).toEqual([expect.stringContaining(problem)]);
  });

  test("a file that cannot be read, is no YAML or no map", () => {
    expect(problems(redis, ["--config", join(directory, "none.yaml")])).toEqual([
      expect.stringMatching(/^--config: cannot read .*none.yaml: ENOENT/),
    ]);
    expect(problems(redis, ["--config", file("keys: {a: hush\nb")])).toEqual([
      expect.stringMatching(/^--config: cannot read (?!.*hush)/),
    ]);
    expect(problems(redis, ["--config", file("- a")])).toEqual([expect.stringContaining("must hold")]);
    expect(problems(redis, ["--config"])).toEqual(["--config: needs the name of a file"]);
  });

  test("a secret is never repeated", () => {
    const found = problems({ MUSTER_KEYS: "key hush-hush", MUSTER_REDIS_URL: "redis://u:hush-hush" });
    expect(found).toEqual([
      expect.stringMatching(/^MUSTER_REDIS_URL: must be usable: .*no port/),
      'MUSTER_KEYS: must be lines of "key: secret"; line 1 has no colon',
    ]);
    expect(found.join()).not.toContain("hush");
  });
});

describe("exitOnBadConfig", () => {
  class Exit extends Error {}

  function run(load: () => unknown) {
    const written = { out: "", err: "", code: -1 };
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      written.out += text;
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written.err += text;
      return true;
    });
    vi.spyOn(process, "exit").mockImplementation((code) => {
      written.code = Number(code);
      throw new Exit();
    });
    try {
      expect(() => exitOnBadConfig(load)).toThrow(Exit);
    } finally {
      vi.restoreAllMocks();
    }
    return written;
  }

  test("prints every problem and exits 2", () => {
    expect(run(() => load({ MUSTER_PORT: "x", MUSTER_LANES: "y" }))).toEqual({
      out: "",
      err: [
        "the configuration has 3 problems (--help lists the settings):",
        '  MUSTER_PORT: must be a number between 1 and 65535, got "x"',
        "  MUSTER_REDIS_URL (or redisUrl in the --config file): is required: where the ledger is kept",
        '  MUSTER_LANES: must be a number between 1 and 64, got "y"',
        "",
      ].join("\n"),
      code: 2,
    });
  });

  test("prints the help and exits 0", () => {
    const written = run(() => load({}, ["--help"]));
    expect(written).toMatchObject({ err: "", code: 0 });
    expect(written.out).toContain("--config <file>");
    expect(written.out).toContain("--dev");
    expect(written.out).toContain("`MUSTER_LANES`");
  });

  test("hands on a good configuration and other errors", () => {
    expect(exitOnBadConfig(() => 7)).toBe(7);
    expect(() =>
      exitOnBadConfig(() => {
        throw new TypeError("a bug");
      }),
    ).toThrow("a bug");
  });
});

describe("keys", () => {
  const read = (value: unknown) => keys.safeParse(value);
  test.each([
    ["devkey: secret", { devkey: "secret" }],
    ["a: 1, b:2", { a: "1", b: "2" }],
    ["\n a: x:y \n\n b: z\n", { a: "x:y", b: "z" }],
    [
      { a: "x", b: "y" },
      { a: "x", b: "y" },
    ],
  ])("%j is read", (given, expected) => {
    expect(Object.fromEntries(keys.parse(given))).toEqual(expected);
  });

  test.each([
    ["", "at least one"],
    [{}, "at least one"],
    ["a:", "key 1 has none"],
    [{ a: "x", b: 5 }, "key 2 has none"],
    ["a b: c", "without spaces; key 1"],
    [": c", "without spaces; key 1"],
    ["a: x\na: y", "key 2 is"],
    [["a: x"], "must be lines"],
    [7, "must be lines"],
  ])("%j is refused", (given, problem) => {
    expect(read(given).error?.issues.map((issue) => issue.message)).toEqual([
      expect.stringContaining(problem),
    ]);
  });
});

test("the documented table has a line for each setting", () => {
  expect(documentedTable(schema).split("\n")).toEqual([
    "| variable | key in the file | default | meaning |",
    "| --- | --- | --- | --- |",
    "| `MUSTER_HOST` | `host` | `127.0.0.1` | where to listen |",
    "| `MUSTER_PORT` | `port` | `7880` | where to listen \\| the port |",
    "| `MUSTER_REDIS_URL` | `redisUrl` | required | where the ledger is kept |",
    "| `MUSTER_WORKER_LIVEKIT_URL` | `workerLivekitUrl` | – | the url handed to workers |",
    "| `MUSTER_LOG_LEVEL` | `logLevel` | `info` | how much is logged |",
    "| `MUSTER_KEYS` | `keys` | – | API keys |",
    "| `MUSTER_GRACE_MS` | `graceMs` | `35000` | how long an orphan waits |",
    "| `MUSTER_DEV` | `dev` | `false` | devkey and secret |",
    "| `MUSTER_LANES` | `lanes` | `8` | how many at once |",
  ]);
});
