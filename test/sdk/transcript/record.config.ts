import { defineConfig } from "vitest/config";
import { pool, sources } from "../../../vitest.sources.js";

// For record.ts only; no test run looks at it.
export default defineConfig({
  ...sources,
  test: { pool, include: ["test/sdk/transcript/record.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
