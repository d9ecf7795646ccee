/**
 * Owns an api's address at which answers get lost: calls arrive and are answered, and for the first so many of them the
 * caller hears nothing but the end of its connection. Tells SDKs that ask where else they can call.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { freePort } from "../kit/ports.js";

export interface LosingAnswers {
  readonly url: string;
  /** Bodies of the answers that were lost, in order. */
  readonly lost: readonly string[];
  stop(): Promise<void>;
}

export async function loseAnswers(
  target: string,
  { count, elsewhere }: { count: number; elsewhere: readonly string[] },
): Promise<LosingAnswers> {
  const lost: string[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/settings/regions") {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ regions: elsewhere.map((url, index) => ({ region: `region-${index}`, url })) }),
      );
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)) as [
      string,
      string,
    ][];
    const answer = await fetch(`${target}${request.url}`, {
      method: request.method ?? "POST",
      headers,
      body: Buffer.concat(chunks),
    });
    const body = await answer.text();
    if (lost.length < count) {
      lost.push(body);
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(body);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: Error) => response.destroy(error));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    lost,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const HOP_BY_HOP = new Set(["host", "connection", "content-length", "transfer-encoding", "expect"]);
