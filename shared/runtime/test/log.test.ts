import { createLog, type LogLevel } from "@muster/runtime/log";
import { expect, test } from "vitest";

function capture(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level,
    service: "gateway",
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  });
  return { log, lines };
}

test("one JSON object a line: level by name, time, service, fields, static message", () => {
  const { log, lines } = capture("info");
  log.debug({}, "not shown");
  log.child({ session: "AW_x" }).info({ jobs: 3 }, "session registered");
  expect(lines).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      service: "gateway",
      session: "AW_x",
      jobs: 3,
      msg: "session registered",
    },
  ]);
});

test("each key is written once, though a child and a call give it again", () => {
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    service: "gateway",
    destination: { write: (line) => lines.push(line) },
  });
  const child = log.child({ namespace: "a", session: "AW_x" }).child({ namespace: "b" });
  for (const level of ["debug", "info", "warn", "error"] as const)
    child[level]({ namespace: "c", service: "own", jobs: 1 }, "said");
  child.info({}, "bound");
  for (const line of lines) {
    const keys = [...line.matchAll(/"(\w+)":/g)].map(([, key]) => key);
    expect(keys, line).toHaveLength(new Set(keys).size);
  }
  expect(lines.map((line) => JSON.parse(line).namespace)).toEqual(["c", "c", "c", "c", "b"]);
});

test("tokens, secrets and metadata are redacted, at the top and one level down", () => {
  const { log, lines } = capture("debug");
  log.warn({ token: "hush", job: { metadata: "hush", id: "AJ_x" }, config: { keys: { a: "hush" } } }, "m");
  log.child({ apiSecret: "hush" }).error({ headers: { authorization: "hush" } }, "m");
  expect(JSON.stringify(lines)).not.toContain("hush");
  expect(lines[0]).toMatchObject({ token: "[redacted]", job: { metadata: "[redacted]", id: "AJ_x" } });
});

test("a line is one for every reader: what ends lines, controls a terminal or is not seen is escaped", () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLog({ level: "info", service: "gateway", destination });
  const key =
    "a\n\r\v\f\u001b[2J\u0000\u001c\u007f\u0085\u009b1m\u00ad\u200b\u2028\u2029\u202e\u2066\ufeff\u{e0041}é😀b";
  log.info({ apiKey: key, job: { [key]: 1 } }, key);
  log.info({ apiKey: key.repeat(20) }, "long");
  for (const line of lines) expect(line).toMatch(/^[\x20-\x7eé😀]+\n$/u);
  const seen = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(seen).toMatchObject([{ apiKey: key, job: { [key]: 1 }, msg: key }, { apiKey: key.repeat(20) }]);
});

test("an error keeps its message and stack", () => {
  const { log, lines } = capture("error");
  log.error({ err: new TypeError("broken") }, "m");
  expect(lines[0]).toMatchObject({
    err: { type: "TypeError", message: "broken", stack: expect.stringContaining("log.test") },
  });
});

test("an unknown level is refused with the known ones", () => {
  expect(() => capture("loud" as LogLevel)).toThrow("level: must be one of debug, info, warn, error, silent");
});
