/** The settings of webhooks out: which urls can be receivers, and which key signs. */

import { ConfigError, loadConfig } from "@muster/runtime/config";
import { expect, test } from "vitest";
import { apiSchema, eventSettingsFrom } from "../src/config.js";

const load = (env: Record<string, string>) =>
  loadConfig({
    schema: apiSchema,
    env: { MUSTER_REDIS_URL: "redis://127.0.0.1", MUSTER_KEYS: "one: secret1, two: secret2", ...env },
    argv: [],
    envPrefix: "MUSTER_",
    flags: ["dev"],
  });

function problems(env: Record<string, string>): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("receivers are lines or a comma-separated list; the first key signs unless another is named", () => {
  expect(eventSettingsFrom(load({}))).toEqual({ urls: [], signing: { apiKey: "one", apiSecret: "secret1" } });
  const urls = "https://a.example/hook?token=t, http://b:8080\n\nhttps://a.example/hook?token=t";
  expect(eventSettingsFrom(load({ MUSTER_WEBHOOK_URLS: urls, MUSTER_WEBHOOK_KEY: "two" }))).toEqual({
    urls: ["https://a.example/hook?token=t", "http://b:8080"],
    signing: { apiKey: "two", apiSecret: "secret2" },
  });
});

test.each([
  ["ftp://a", "url 1 is not"],
  ["https://a, nothing", "url 2 is not"],
  ["https://user:s3cret@a", "without user and password"],
  [`https://a/${"x".repeat(2_100)}`, "2048 characters"],
  [Array.from({ length: 17 }, (_, index) => `https://a/${index}`).join(","), "at most 16"],
])("%s can be no receiver, and is not repeated", (urls, problem) => {
  const found = problems({ MUSTER_WEBHOOK_URLS: urls });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^MUSTER_WEBHOOK_URLS\b/);
  expect(found[0]).toContain(problem);
  expect(found[0]).not.toContain("s3cret");
});

test("the key that signs must be one of keys", () => {
  expect(problems({ MUSTER_WEBHOOK_KEY: "three" })).toEqual([
    expect.stringMatching(/^MUSTER_WEBHOOK_KEY.*one of keys/),
  ]);
});
