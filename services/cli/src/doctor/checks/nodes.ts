/** Whether gateways and dispatchers live on this Redis: each keeps a lease of a few seconds there. */

import { createNodeDirectory } from "@muster/actor/node-directory";
import type { Check } from "../check.js";
import { fail, ok } from "../finding.js";
import { redisOf } from "../surroundings.js";

export const nodes: Check = {
  name: "nodes",
  looksAt: "At least one dispatcher and one gateway hold a lease in this Redis.",
  async run(surroundings) {
    const redis = await redisOf(surroundings).client();
    const directory = createNodeDirectory({ redis, clock: surroundings.clock });
    const [dispatchers, gateways] = await Promise.all([
      directory.live("dispatcher"),
      directory.live("gateway"),
    ]);
    const missing = [
      ...(dispatchers.length === 0
        ? [
            fail(
              "no dispatcher is live: work orders are accepted, and nobody places them",
              "start one with this MUSTER_REDIS_URL: node services/dispatcher/dist/main.js",
            ),
          ]
        : []),
      ...(gateways.length === 0
        ? [
            fail(
              "no gateway is live: no worker can connect",
              "start one with this MUSTER_REDIS_URL: node services/gateway/dist/main.js",
            ),
          ]
        : []),
    ];
    return missing.length > 0
      ? missing
      : [ok(`live: ${counted(dispatchers, "dispatcher")}, ${counted(gateways, "gateway")}`)];
  },
};

function counted(live: readonly string[], what: string): string {
  return `${live.length} ${what}${live.length === 1 ? "" : "s"}`;
}
