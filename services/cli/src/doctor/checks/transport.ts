/** Whether a gateway would run on its native transport on this machine, or on `ws` at several times the cost. */

import { UwsLoadError } from "@muster/gateway/transport/uws-native";
import type { Check } from "../check.js";
import { fail, ok, Skip, warn } from "../finding.js";

const OLDEST_NODE = [20, 19] as const;

export const transport: Check = {
  name: "transport",
  looksAt: "uWebSockets.js loads with this Node and C library, where a gateway is to run here.",
  async run({ services, settings, loadUws }) {
    if (!services.some((service) => service === "gateway" || service === "standalone")) {
      throw new Skip("no gateway runs with these settings");
    }
    const system = `Node ${process.versions.node}, ${cLibrary()}`;
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
      return [
        fail(`${system}: Muster needs Node ${OLDEST_NODE.join(".")} or later`, "install Node 20 or 22"),
      ];
    }
    if (settings.transport === "ws") {
      return [
        warn(
          `the gateway runs on ws, as it was told to, with several times the memory and CPU per worker (${system})`,
          "MUSTER_TRANSPORT=auto",
        ),
      ];
    }
    try {
      await loadUws();
      return [ok(`uWebSockets.js loads (${system})`)];
    } catch (error) {
      if (!(error instanceof UwsLoadError)) throw error;
      const says = `${error.message} (${system})`;
      return settings.transport === "uws"
        ? [fail(`the gateway does not start: ${says}`, error.remedy)]
        : [
            warn(
              `the gateway runs on ws, with several times the memory and CPU per worker: ${says}`,
              error.remedy,
            ),
          ];
    }
  },
};

function cLibrary(): string {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? "no glibc" : `glibc ${header.glibcVersionRuntime}`;
}
