/** Owns the one address that LiveKit posts its webhooks to, as a balancer before the apis: in turn to those that run. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface WebhookBalancer {
  readonly url: string;
  stop(): Promise<void>;
}

/** An api may be frozen: LiveKit is told 502 then, and comes again. */
const ATTEMPT_MS = 1_000;

export async function startWebhookBalancer(apiUrls: () => readonly string[]): Promise<WebhookBalancer> {
  let next = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const urls = apiUrls();
    const url = urls[next++ % Math.max(1, urls.length)];
    const { authorization = "", "content-type": contentType = "" } = request.headers;
    const answer =
      url === undefined
        ? undefined
        : await fetch(`${url}/webhook`, {
            ...{
              method: "POST",
              body: Buffer.concat(chunks),
              headers: { authorization, "content-type": contentType },
            },
            signal: AbortSignal.timeout(ATTEMPT_MS),
          }).catch(() => undefined);
    response.writeHead(answer?.status ?? 502).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
