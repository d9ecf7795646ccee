/** docs/DOCTOR.md, and what the README says of the doctor: each check is there, and each command runs. */
import { readFileSync } from "node:fs";
import { readPage } from "@muster/test/kit/page-commands";
import { startRedis } from "@muster/test/kit/redis-server";
import { expect, onTestFinished, test } from "vitest";
import { ALL_CHECKS } from "../src/doctor/all-checks.js";
import { runMuster } from "./doctor-kit.js";

const page = readPage("DOCTOR.md");
const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

test("the page has each check, in the order in which they run, with what it looks at", () => {
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (.+?) \| .*[✗⚠].* \|$/gm)];
  expect(rows.map(([, name, looksAt]) => [name, looksAt])).toEqual(
    ALL_CHECKS.map(({ name, looksAt }) => [name, looksAt]),
  );
});

test("names are told apart by how they begin, and each is a file's", () => {
  const names = ALL_CHECKS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) {
    const text = readFileSync(new URL(`../src/doctor/checks/${name}.ts`, import.meta.url), "utf8");
    expect(text).toContain(`name: "${name}"`);
  }
});

test("every command of the page and of the README runs, and is understood", async () => {
  const redis = await startRedis({ appendOnly: true });
  onTestFinished(() => redis.stop());
  const env = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `key: ${"s".repeat(32)}`,
    MUSTER_HOST: "127.0.0.1",
  };
  const [first = ""] = page.split("## In a pod, in a container");
  const lines = [
    ...[...first.matchAll(/^muster (doctor.*)$/gm)].map(([, args = ""]) => args),
    ...[...readme.matchAll(/`node services\/cli\/dist\/main\.js (doctor[^`]*)`/g)].map(
      ([, args = ""]) => args,
    ),
  ];
  expect(lines.length).toBeGreaterThan(5);
  const words = (line: string) =>
    line.split(" ").map((word) => word.replace(/^"\$[A-Z]+"$/, "http://127.0.0.1:9"));
  for (const line of lines) {
    const { code, stdout, stderr } = await runMuster(words(line), env);
    expect(stderr, line).toBe("");
    // Nothing but Redis runs here, so most of them find something.
    expect(code, `${line}\n${stdout}`).toBe(/--list|--only/.test(line) ? 0 : 1);
  }
});

test("its help has every argument that the page has", async () => {
  const { stdout } = await runMuster(["doctor", "--help"]);
  const named = new Set([...page.matchAll(/`(--[a-z-]+)/g)].map(([, name = ""]) => name));
  expect(named.size).toBeGreaterThan(8);
  for (const name of named) expect(stdout).toContain(`${name} `);
});
