/**
 * What Muster says of itself when a worker registers. Workers are written for livekit-server, so it is described in
 * livekit-server's terms; Python logs region and protocol.
 */

import { ServerInfo } from "./generated/livekit.js";

const EDITION_STANDARD = 0;
/** livekit-server's signalling protocol (pkg/rtc/types/protocol_version.go, CurrentProtocol). */
const PROTOCOL = 17;
/** livekit-server's agent protocol (pkg/agent/worker.go, CurrentProtocol). */
const AGENT_PROTOCOL = 1;

export interface ServerFacts {
  readonly version: string;
  readonly region: string;
  readonly nodeId: string;
}

export function buildServerInfo(facts: ServerFacts): ServerInfo {
  return ServerInfo.create({
    edition: EDITION_STANDARD,
    version: facts.version,
    protocol: PROTOCOL,
    agentProtocol: AGENT_PROTOCOL,
    region: facts.region,
    nodeId: facts.nodeId,
  });
}
