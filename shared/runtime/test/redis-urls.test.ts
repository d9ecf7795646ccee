import { DispatchError } from "@muster/domain/errors";
import { describeRedisUrl, parseRedisUrl } from "@muster/runtime/redis/url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("a Redis url", () => {
  test.each([
    ["redis://localhost", { kind: "single", tls: false, hosts: [{ host: "localhost", port: 6379 }], db: 0 }],
    ["redis://localhost/", { kind: "single", db: 0 }],
    ["REDIS://h:1/7", { kind: "single", hosts: [{ host: "h", port: 1 }], db: 7 }],
    ["redis://h?db=7", { kind: "single", db: 7 }],
    ["rediss://[::1]:6380", { kind: "single", tls: true, hosts: [{ host: "::1", port: 6380 }] }],
    ["redis://user:p%40ss@h", { username: "user", password: "p@ss" }],
    ["redis://:p@ss:w@h:2", { username: undefined, password: "p@ss:w", hosts: [{ host: "h", port: 2 }] }],
    [
      "redis+sentinel://u:p@a:1,b/main?db=3&sentinelPassword=s%26s",
      {
        kind: "sentinel",
        tls: false,
        hosts: [
          { host: "a", port: 1 },
          { host: "b", port: 26379 },
        ],
        masterName: "main",
        db: 3,
        username: "u",
        password: "p",
        sentinelPassword: "s&s",
      },
    ],
    ["rediss+sentinel://a/main", { kind: "sentinel", tls: true, sentinelPassword: undefined, db: 0 }],
    [
      "redis+cluster://a:1, b:2",
      {
        kind: "cluster",
        hosts: [
          { host: "a", port: 1 },
          { host: "b", port: 2 },
        ],
      },
    ],
    ["rediss+cluster://a/0", { kind: "cluster", tls: true }],
  ])("%s is read", (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject(expected);
  });

  test.each([
    ["", "must look like"],
    ["localhost:6379", "must look like"],
    ["http://h", 'unknown scheme "http"'],
    ["redis://", "no readable host at position 1"],
    ["redis://a,b", "lists several hosts"],
    ["redis://h:99999", "no port between 1 and 65535 behind host 1"],
    ["redis://h:0", "no port between 1 and 65535"],
    ["redis://h/x", "number between 0 and 65535"],
    ["redis://h/1?db=2", "names the database twice"],
    ["redis://h?timeout=2", 'unknown parameter "timeout"; known are db'],
    ["redis://100%@h", "not percent-encoding; write it as %25"],
    ["redis+cluster://a,,b", "no readable host at position 2"],
    ["redis+cluster://a/1", "must not name a database"],
    ["redis+cluster://a?db=1", 'unknown parameter "db"'],
    ["redis+sentinel://a:1", "must end with the name of the Sentinel master"],
  ])("%s is refused: %s", (url, problem) => {
    expect(() => parseRedisUrl(url)).toThrow(DispatchError);
    expect(() => parseRedisUrl(url)).toThrow(problem);
  });

  test.each([
    ["redis://u:hush@h:1/2", "redis://h:1/2"],
    ["rediss://hush@[::1]", "rediss://[::1]:6379"],
    [
      "redis+sentinel://u:hush@a,b:2/main?db=1&sentinelPassword=hush",
      "redis+sentinel://a:26379,b:2/main?db=1",
    ],
    ["rediss+cluster://:hush@a:1,b:2", "rediss+cluster://a:1,b:2"],
  ])("%s is described without its credentials", (url, described) => {
    expect(describeRedisUrl(url)).toBe(described);
  });

  test("never repeats a password in an error, wherever the url is broken", () => {
    const secret = "Zq9Xw7Kv";
    const broken = fc.constantFrom(
      `redis://user:${secret}`,
      `redis://user:${secret}@`,
      `redis://user:${secret}@h:`,
      `redis://user:${secret}@h:x/`,
      `redis://${secret}:`,
      `redis://${secret}:${secret}@a,b`,
      `redis://u:%${secret}@h`,
      `redis+cluster://u:${secret},h:1`,
      `redis+sentinel://u:${secret}@h`,
      `redis+sentinel://h/m?db=${secret}`,
      `${secret}@h:6379`,
      `redis://a?${secret}@h`,
      `redis://a?b=${secret}`,
    );
    fc.assert(
      fc.property(broken, fc.constantFrom("", " ", "#x"), (url, tail) => {
        expect(() => parseRedisUrl(url + tail)).toThrow(
          expect.objectContaining({ message: expect.not.stringContaining(secret) }),
        );
      }),
    );
  });
});
