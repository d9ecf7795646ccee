/** `npm start`: installs and builds what is missing, then runs the standalone Muster in this terminal. */

import { spawn } from "node:child_process";
import { ensureBuilt, ensureInstalled, root } from "./lib/run.mjs";

await ensureInstalled();
await ensureBuilt();
const child = spawn(process.execPath, [`${root}services/standalone/dist/main.js`, ...process.argv.slice(2)], {
  stdio: "inherit",
});
// The terminal sends Ctrl-C to the child too; a service manager sends its signal to us alone.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.once("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 0)));
