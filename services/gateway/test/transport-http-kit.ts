/** What the HTTP suites share: a client that shows headers as they came, and response bodies written from outside. */
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { atEnd, type Served } from "./transport-kit.js";

export const urlOf = (served: Served, path = "/") => `http://127.0.0.1:${served.port}${path}`;

export interface Answered {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** As fetch, with node's client: shows headers as they came and keeps to one connection when asked. */
export function call(served: Served, options: RequestOptions, body?: Buffer): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port: served.port, ...options }, async (response) => {
      const parts: Buffer[] = [];
      try {
        for await (const part of response) parts.push(part);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.end(body);
  });
}

export function oneConnection(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  atEnd(() => agent.destroy());
  return agent;
}

/** A response body that is written from outside. */
export function faucet(onCancel = () => {}) {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
    cancel: onCancel,
  });
  return {
    body,
    write: (text: string) => controller?.enqueue(Buffer.from(text)),
    fail: () => controller?.error(new Error("source broke")),
    end: () => controller?.close(),
  };
}
