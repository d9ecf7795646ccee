/**
 * Owns the one address that LiveKit posts its webhooks to, as a balancer before the apis: in turn to those that run. Knows
 * when each was first handed on: nobody at Muster can know of it before.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeWebhookEvent } from "@muster/wire/webhook-event";
import type { Stories } from "./stories.js";

export interface HandedWebhook {
  readonly event: string;
  readonly room: string;
  /** Of the participant; empty when it is about none. */
  readonly sid: string;
}

export interface WebhookBalancer {
  readonly url: string;
  /** The longest time that an api which answered 200 took for it. */
  readonly longestMs: number;
  /** Called before each attempt, also the repeated ones. */
  onHandedOn: (webhook: HandedWebhook) => void;
  stop(): Promise<void>;
}

/** An api may be frozen: LiveKit is told 502 then, and comes again. Shorter, and a busy machine makes each webhook two. */
const ATTEMPT_MS = 3_000;

export async function startWebhookBalancer(
  apiUrls: () => readonly string[],
  stories: Stories,
): Promise<WebhookBalancer> {
  let next = 0;
  let longestMs = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { event, room, participant } = decodeWebhookEvent(body);
    balancer.onHandedOn({ event, room: room?.name ?? "", sid: participant?.sid ?? "" });
    const urls = apiUrls();
    const url = urls[next++ % Math.max(1, urls.length)];
    const startedAtMs = performance.now();
    const status = url === undefined ? 502 : await post(url, body, request.headers);
    const tookMs = performance.now() - startedAtMs;
    if (status === 200) longestMs = Math.max(longestMs, tookMs);
    const about = `${event} ${room?.sid} ${participant?.identity ?? ""}`;
    stories.tell(room?.name ?? "", `webhook ${about}: ${status} after ${Math.round(tookMs)} ms`);
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const balancer: WebhookBalancer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`,
    get longestMs() {
      return longestMs;
    },
    onHandedOn() {},
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return balancer;
}

/** 502 when there was no answer. */
async function post(url: string, body: Buffer, headers: NodeJS.Dict<string | string[]>): Promise<number> {
  const { authorization = "", "content-type": contentType = "" } = headers;
  const answer = await fetch(`${url}/webhook`, {
    ...{ method: "POST", body, signal: AbortSignal.timeout(ATTEMPT_MS) },
    headers: { authorization: String(authorization), "content-type": String(contentType) },
  }).catch(() => undefined);
  return answer?.status ?? 502;
}
