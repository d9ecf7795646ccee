/** Whether livekit-server answers at the url that Muster itself uses, by HTTP and by WebSocket. */

import type { Check } from "../check.js";
import { fail, ok } from "../finding.js";
import { livekitOf } from "../livekit-of.js";
import { type WhoAnswers, whoAnswers } from "../livekit-probe.js";

export const livekitReach: Check = {
  name: "livekit-reach",
  looksAt: "livekit-server answers at MUSTER_LIVEKIT_URL, by HTTP and to the wish for a WebSocket.",
  async run(surroundings) {
    const { probe } = livekitOf(surroundings);
    const who = await whoAnswers(probe);
    if (who.kind === "livekit") return [ok(`livekit-server answers at ${probe.url}`)];
    return [
      fail(`no livekit-server at ${probe.url}: ${who.problem}`, fixFor(who, "MUSTER_LIVEKIT_URL", probe.url)),
    ];
  },
};

export function fixFor(who: WhoAnswers, variable: string, url: string): string {
  switch (who.kind) {
    case "muster":
      return `${variable} must name livekit-server, not Muster; both listen on 7880 by default`;
    case "no-upgrade":
      return "the proxy before LiveKit must pass WebSockets on: in nginx proxy_http_version 1.1 and the headers Upgrade and Connection";
    case "silent":
      return isSecure(url)
        ? `check host and port; for a LiveKit without TLS it is ${variable}=${url.replace(/^(ws|http)s:/, "$1:")}`
        : `check host, port and firewall; behind TLS it is ${variable}=${url.replace(/^(ws|http):/, "$1s:")}`;
    default:
      return `${variable} must be the url that LiveKit's SDKs dial, such as wss://livekit.example`;
  }
}

const isSecure = (url: string): boolean => /^(ws|http)s:/.test(url);
