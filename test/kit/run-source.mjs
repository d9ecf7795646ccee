/**
 * Runs a command from its sources, as the tests load theirs, so that it needs no build: loads the module, hands the
 * arguments to its `main` and ends with the code that it answers.
 */

import { fileURLToPath } from "node:url";
import { createViteServer } from "vitest/node";

/** `path` is from the root of the repository. */
export async function runSource(path) {
  const conditions = ["muster-source"];
  const loader = await createViteServer({
    root: fileURLToPath(new URL("../..", import.meta.url)),
    configFile: false,
    appType: "custom",
    logLevel: "error",
    optimizeDeps: { noDiscovery: true, include: [] },
    server: { middlewareMode: true, ws: false, hmr: false, watch: null },
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
  });
  try {
    const { main } = await loader.ssrLoadModule(path);
    process.exitCode = await main(process.argv.slice(2));
  } finally {
    await loader.close();
  }
}
