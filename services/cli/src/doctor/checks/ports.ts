/** Whether the ports of the services are free on this machine, or theirs already. */

import { ListenError, requireFree } from "@muster/gateway/transport/listen-error";
import { portOwner } from "@muster/runtime/port-owner";
import type { ServiceName } from "../../config.js";
import type { Check } from "../check.js";
import { type Finding, fail, ok } from "../finding.js";
import { musterAt } from "../muster-probe.js";
import type { Surroundings } from "../surroundings.js";

const DEFAULT_PORTS = { gateway: 7880, dispatcher: 7882, api: 7883, standalone: 7880 } as const;
const ASK_MS = 1_000;

export const ports: Check = {
  name: "ports",
  looksAt: "The port of each service is free on this machine, or taken by just that service.",
  async run(surroundings) {
    const { services, settings } = surroundings;
    // One given port is for one service, which only --service says.
    if (settings.port !== undefined && services.length > 1) {
      return [
        fail(
          `MUSTER_PORT=${settings.port} would be the port of ${services.join(", ")} alike`,
          "set it for one service at a time, and say which one by --service",
        ),
      ];
    }
    return await Promise.all(
      services.map((service) => findingOf(service, settings.port ?? DEFAULT_PORTS[service], surroundings)),
    );
  },
};

async function findingOf(
  service: ServiceName,
  port: number,
  { settings, clock }: Surroundings,
): Promise<Finding> {
  try {
    await requireFree(settings.host, port);
    return ok(`port ${port} is free for ${service}`);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    if (error.code !== "EADDRINUSE")
      return fail(error.message, "MUSTER_HOST and MUSTER_PORT say where to listen");
  }
  const host = ["0.0.0.0", "::"].includes(settings.host) ? "127.0.0.1" : settings.host;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const there = await musterAt(url, { timeoutMs: ASK_MS, now: () => clock.now() }, settings);
  if (there?.service === service)
    return ok(
      `port ${port} is taken by a ${[service, there.version].filter((part) => part !== undefined).join(" ")} that answers`,
    );
  if (there?.isMuster === true && there.service === undefined)
    return ok(`port ${port} is taken by a Muster that answers; which service it is, it does not say`);
  const owner = await portOwner(port);
  const what =
    there?.service === undefined ? (owner?.name ?? "another process") : `Muster's ${there.service}`;
  const pid = owner === undefined ? "" : ` (pid ${owner.pid})`;
  return fail(
    `port ${port}, where ${service} would listen, is taken by ${what}${pid}`,
    `stop that one, or MUSTER_PORT=<another> for ${service}; sudo ss -ltnp "sport = :${port}" shows it`,
  );
}
