/**
 * `npm run demo`: a real worker takes a real job, told step by step with what each took. Starts Muster on a port of its
 * own, with data that goes when it ends; connects a stock @livekit/agents worker; asks for a dispatch with
 * livekit-server-sdk, as any server would; shows the job; takes the dispatch back; ends.
 */

import { ensureBuilt, ensureInstalled } from "./lib/run.mjs";

await ensureInstalled();
await ensureBuilt();
// Packages are there only now.
const { runDemo } = await import("./lib/demo-steps.mjs");
process.exit(await runDemo());
