import { defineConfig } from "vitest/config";
import { pool, sources } from "../../vitest.sources.js";

// `npm run crash`, after a build: several minutes, and for a machine that does nothing else.
export default defineConfig({
  ...sources,
  test: { pool, include: ["test/crash/**/*.test.ts"], testTimeout: 600_000, hookTimeout: 120_000 },
});
