/**
 * What a person reads when Muster has started in their terminal: where it listens, whose keys it takes, where its data
 * is, and how to point a worker at it.
 */

export interface BannerFacts {
  version: string;
  host: string;
  port: number;
  /** "uWebSockets.js" or "ws". */
  transport: string;
  /** Where Redis is, without credentials; and whether it is our own. */
  redis: string;
  dataDir: string | undefined;
  /** True when nobody gave keys and everybody's are taken. */
  devKeys: boolean;
  workerLivekitUrl: string | undefined;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

export function banner(facts: BannerFacts): string {
  const url = `http://${reachable(facts.host)}:${facts.port}`;
  const lines = [
    "",
    `Muster ${facts.version} is ready on ${facts.host}:${facts.port} (${facts.transport})`,
    `  state        ${facts.redis}${facts.dataDir ? `, kept in ${facts.dataDir}` : ""}`,
    `  workers      LIVEKIT_URL=${url.replace("http", "ws")} ${keyLine(facts.devKeys)}`,
    `  dispatches   any LiveKit server SDK, or: lk --url ${url} dispatch create …`,
    `  look         ${url}/v1/openapi.json   ${url}/metrics`,
    ...(facts.workerLivekitUrl
      ? [`  media        workers are sent to ${facts.workerLivekitUrl}`]
      : [
          "  media        none: dispatch works here, media does not. MUSTER_WORKER_LIVEKIT_URL=wss://… sends workers to one",
        ]),
    ...(facts.devKeys ? ["", ...keyWarning(facts.host)] : []),
    "",
  ];
  return `${lines.join("\n")}\n`;
}

function keyWarning(host: string): string[] {
  const inForce = "  ! Everybody's keys are in force: devkey / secret.";
  if (LOOPBACK.test(host))
    return [
      `${inForce} So only this machine is listened to, on ${host}.`,
      '  ! To open it, give your own with MUSTER_KEYS="key: secret"; or MUSTER_HOST=0.0.0.0, and all who reach it have these.',
    ];
  return [
    `${inForce} Whoever reaches this port can take jobs and make them.`,
    '  ! Give your own with MUSTER_KEYS="key: secret" before anybody else can reach it.',
  ];
}

/** Everywhere is reached on loopback; an IPv6 address has brackets in a url. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function keyLine(devKeys: boolean): string {
  return devKeys
    ? "LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret"
    : "with LIVEKIT_API_KEY and LIVEKIT_API_SECRET as in MUSTER_KEYS";
}
