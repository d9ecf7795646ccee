import { defineConfig } from "vitest/config";
import { OLDEST } from "./scripts/lib/livekit-server.mjs";
import { pool, sources } from "./vitest.sources.js";

/** In CI a test that is late on a crowded machine gets a second try, which the report shows; here it fails at once. */
const retry = process.env.CI === undefined ? 0 : 1;

/** Whole houses whose leases and waits are those of production: they mostly wait, and mind no neighbour. */
const PATIENT = [
  "test/cluster/{gateways-away,redis-away}.test.ts",
  "test/{compose,helm,images,sdk,simulate,sizing}/**/*.test.ts",
  "test/watch/{alerts,dashboards,job-causes,rules}.test.ts",
];
/** What hears LiveKit speak runs against the oldest livekit-server too. */
const LIVEKIT_SPEAKS = [
  "test/livekit/{at-hand,real-rooms,stand-in-likeness}.test.ts",
  "services/cli/test/doctor-livekit.test.ts",
];
/** Houses full of processes against short leases. */
const ALONE = [
  "test/{bench,cluster,doors,livekit}/**/*.test.ts",
  "test/watch/loaded-panels.test.ts",
  "test/*.test.ts",
];

export default defineConfig({
  ...sources,
  test: {
    projects: [
      {
        ...sources,
        test: {
          name: "rooms",
          pool,
          include: [
            "shared/*/test/**/*.test.ts",
            "services/*/test/**/*.test.ts",
            "proto/test/**/*.test.ts",
            "test/{contract,kit}/**/*.test.ts",
          ],
          testTimeout: 30_000,
          retry,
          hookTimeout: 60_000,
          // They mostly wait, for sockets and timers: three at a time on two cores.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...sources,
        test: {
          name: "patient",
          pool,
          include: PATIENT,
          testTimeout: 60_000,
          retry,
          hookTimeout: 120_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      // One after the other, and with nothing beside.
      {
        ...sources,
        test: {
          name: "whole",
          pool,
          include: ALONE,
          exclude: PATIENT,
          fileParallelism: false,
          testTimeout: 60_000,
          retry,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...sources,
        test: {
          name: "oldest-livekit",
          pool,
          // A program that the environment names is the same in every project: once is enough.
          include: process.env.LIVEKIT_SERVER_BIN === undefined ? LIVEKIT_SPEAKS : [],
          env: { LIVEKIT_SERVER_VERSION: OLDEST },
          fileParallelism: false,
          testTimeout: 60_000,
          retry,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
