import base from "../../vitest.config.js";

// For the long siege only; no test run looks at it.
export default { ...base, test: { ...base.test, include: ["test/cluster/siege-main.ts"] } };
