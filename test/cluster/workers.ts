/** Owns the two natures of workers that the fault tests use most: one that reports, as Python's, and one that does not. */

export const PYTHON = { agent: "agent", reports: true, reconnects: "python", sampleEveryMs: 200 } as const;
export const NODE = { agent: "silent", reconnects: "node", sampleEveryMs: 200 } as const;
