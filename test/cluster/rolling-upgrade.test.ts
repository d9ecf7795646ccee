/**
 * Two versions of Muster on one Redis: an earlier build is replaced by this one, service by service, under load, and comes
 * back again. `npm run upgrade -- FROM=v1.2.3` walks from another version than the one before.
 */

import { SCHEMA } from "@muster/domain/schema";
import { afterEach, beforeAll, expect, it } from "vitest";
import { BUILDS_KEY, SCHEMA_KEY } from "../../shared/actor/src/keys.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, startService } from "../kit/service-process.js";
import { type PreviousBuild, previousBuild } from "./upgrade/previous-build.js";
import { walk, walkPlan } from "./upgrade/walk.js";
import { tableOf } from "./upgrade/walk-report.js";

const SEED = 1;
const BUILD_LIMIT_MS = 300_000;
const WALK_LIMIT_MS = 240_000;

let previous: PreviousBuild;
let redis: RedisServer | undefined;

beforeAll(() => {
  previous = previousBuild();
  process.stdout.write(`\nthe previous version is ${previous.subject}\n`);
}, BUILD_LIMIT_MS);
afterEach(async () => {
  await redis?.stop();
  redis = undefined;
});

it("is upgraded service by service and rolled back under load, and keeps every job", {
  timeout: WALK_LIMIT_MS,
}, async () => {
  const report = await walk(previous.folder, walkPlan(SEED));
  process.stdout.write(`\n${tableOf(report)}\n`);
  const { violations, lost, leaked, untold, errors, orders } = report;
  expect({ violations, lost, leaked, untold, errors, unanswered: orders.unanswered }).toEqual({
    violations: [],
    lost: [],
    leaked: [],
    untold: [],
    errors: [],
    unanswered: [],
  });
  // It was one: work was done throughout, and workers came back with jobs that ran.
  expect(orders.accepted).toBeGreaterThan(100);
  expect(report.adoptions.adopted).toBeGreaterThan(0);
});

it("no service starts on what a later version has left behind, and each says what to do", async () => {
  redis = await startRedis();
  const later = SCHEMA.writes + 1;
  await redis.client().hset(SCHEMA_KEY, "oldest", later, "newest", later + 1);
  const services: ServiceName[] = ["gateway", "dispatcher", "api", "standalone"];
  const starts = services.map((name) =>
    startService(name, { MUSTER_REDIS_URL: redis?.url ?? "", MUSTER_KEYS: "key: secret" }),
  );
  for (const outcome of await Promise.allSettled(starts)) {
    const words = outcome.status === "rejected" ? String(outcome.reason) : "it started";
    expect(words).toContain("it exited with 3");
    expect(words).toContain(`start a build of schema ${later} or later (see docs/UPGRADING.md)`);
  }
  expect(await redis.client().exists(BUILDS_KEY)).toBe(0);
});
