import { defineConfig } from "vitest/config";
import { pool, sources } from "./vitest.sources.js";

/** In CI a test that is late on a crowded machine gets a second try, which the report shows; here it fails at once. */
const retry = process.env.CI === undefined ? 0 : 1;

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
            "test/kit/**/*.test.ts",
            "test/helm/**/*.test.ts",
          ],
          testTimeout: 30_000,
          retry,
          hookTimeout: 60_000,
          // They mostly wait, for sockets and timers: two at a time on two cores, where one is the default.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      // Each of these runs a house full of processes against short leases: one after the other, and with nothing beside.
      {
        ...sources,
        test: {
          name: "whole",
          pool,
          include: [
            "test/{bench,cluster,compose,images,livekit,sdk,simulate,sizing,watch}/**/*.test.ts",
            "test/*.test.ts",
          ],
          fileParallelism: false,
          testTimeout: 60_000,
          retry,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
