import base from "../../../vitest.config.js";

// For record.ts only; no test run looks at it.
export default { ...base, test: { ...base.test, include: ["test/sdk/transcript/record.ts"] } };
