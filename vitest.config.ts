import { defineConfig } from "vitest/config";

// Tests read the sources of every package ("muster-source"), so a unit test needs no build. Forks, never threads:
// native uWebSockets.js aborts a process whose worker thread exits with an open listen socket.
export default defineConfig({
  resolve: { conditions: ["muster-source"] },
  ssr: { resolve: { conditions: ["muster-source"], externalConditions: ["muster-source"] } },
  test: {
    pool: "forks",
    include: [
      "shared/*/test/**/*.test.ts",
      "services/*/test/**/*.test.ts",
      "proto/test/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
