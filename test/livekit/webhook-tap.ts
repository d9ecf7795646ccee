/**
 * Stands between livekit-server and Muster's webhook door and writes down what goes through, byte for byte. Passes the
 * answer back, so that livekit-server sees what Muster says.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TappedWebhook {
  atMs: number;
  authorization: string;
  body: string;
}

/** What a webhook says, as far as tests ask. */
export interface Told {
  atMs: number;
  event: string;
  room?: { name?: string };
  participant?: { sid: string; kind?: string; disconnectReason?: string };
}

export interface WebhookTap {
  readonly url: string;
  readonly webhooks: readonly TappedWebhook[];
  /** Those of one room. */
  of(room: string): TappedWebhook[];
  /** The same, read. */
  told(room: string): Told[];
  /** From now on they go there; before, or without a url, they are only written down. */
  leadTo(url: string | undefined): void;
  stop(): Promise<void>;
}

export async function startWebhookTap(): Promise<WebhookTap> {
  const webhooks: TappedWebhook[] = [];
  let target: string | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { authorization = "" } = request.headers;
    webhooks.push({ atMs: Date.now(), authorization, body });
    if (target === undefined) return void response.end();
    const headers = { authorization, "content-type": request.headers["content-type"] ?? "" };
    const answer = await fetch(target, { method: "POST", headers, body }).catch(() => undefined);
    response.writeHead(answer?.status ?? 502).end(await answer?.text());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    webhooks,
    of: (room) => webhooks.filter((webhook) => read(webhook).room?.name === room),
    told: (room) => webhooks.map(read).filter((told) => told.room?.name === room),
    leadTo(url) {
      target = url;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function read({ atMs, body }: TappedWebhook): Told {
  return { ...(JSON.parse(body) as Omit<Told, "atMs">), atMs };
}
