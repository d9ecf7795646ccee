import { defineConfig } from "vitest/config";
import { pool, sources } from "../../vitest.sources.js";

// For the long siege only; no test run looks at it.
export default defineConfig({
  ...sources,
  test: { pool, include: ["test/cluster/siege-main.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
