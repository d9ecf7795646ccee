/** What docs/UPGRADING.md has its reader type to see what runs, with services as processes; and that it is true. */
import { execFileSync } from "node:child_process";
import { SCHEMA } from "@muster/domain/schema";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readPage, runPage } from "./kit/page-commands.js";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { type ServiceProcess, startService } from "./kit/service-process.js";

const page = readPage("UPGRADING.md");

let redis: RedisServer;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const env = { MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: "key: secret", MUSTER_DRAIN_MS: "0" };
  services.push(
    ...(await Promise.all(
      (["gateway", "dispatcher", "api"] as const).map((name) => startService(name, env)),
    )),
  );
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.kill()));
  await redis.stop();
});

/** Its commands that ask Redis, run as they stand there. */
function asked(): string[] {
  return [...page.matchAll(/^redis-cli .*$/gm)].map(([command]) => {
    const env = { ...process.env, MUSTER_REDIS_URL: redis.url };
    return execFileSync("bash", ["-c", command], { encoding: "utf8", env });
  });
}

it("every service says in its metrics which version it is", async () => {
  for (const { url, name } of services) {
    const [run, ...others] = await runPage(page, { MUSTER: url });
    expect(others).toEqual([]);
    expect(run).toMatchObject({ code: 0 });
    expect(run?.output).toMatch(
      new RegExp(`^muster_build_info\\{service="${name}",version="\\d+\\.\\d+\\.\\d+"`, "m"),
    );
  }
});

it("Redis says what runs on it, and what still may; who has ended is not there any more", async () => {
  const [builds = "", schema = ""] = asked();
  expect(schema.split("\n")).toEqual([
    "oldest",
    String(SCHEMA.livesWith),
    "newest",
    String(SCHEMA.writes),
    "",
  ]);
  const said = builds.split("\n").filter((line) => line.startsWith("{"));
  expect(said.map((line) => JSON.parse(line).service).sort()).toEqual(["api", "dispatcher", "gateway"]);
  expect(page, "the page shows one as it is").toContain(said.find((line) => line.includes("gateway")));
  for (const service of services.splice(0)) expect(await service.stop()).toBe(0);
  expect(asked()[0]?.trim()).toBe("");
});
