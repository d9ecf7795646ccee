/**
 * `npm run simulate`: loads main.ts from its source, as the tests load theirs, so that it needs no build; hands its
 * arguments on and ends with its code.
 */

import { fileURLToPath } from "node:url";
import { createViteServer } from "vitest/node";

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
  const { main } = await loader.ssrLoadModule("/test/simulate/main.ts");
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await loader.close();
}
