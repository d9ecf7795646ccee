/**
 * Who may stand beside or before a service, for tests: somebody else on its port, a proxy that drops what is meant for the
 * next hop, a machine whose clock is off. Each is gone when its test is over.
 */
import { createServer } from "node:http";
import { freePort } from "@muster/test/kit/ports";
import { onTestFinished } from "vitest";

async function served(listener: Parameters<typeof createServer>[1]): Promise<number> {
  const server = createServer(listener);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return port;
}

/** The port. */
export const occupied = () => served((_, response) => void response.end("somebody else"));

/** Passes requests on, and of their headers none that is meant for the next hop alone. */
export async function withoutUpgrades(target: string): Promise<string> {
  const port = await served(async (request, response) => {
    const { authorization = "", "content-type": type = "" } = request.headers;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "GET", url = "/" } = request;
    const body = method === "GET" ? null : Buffer.concat(chunks);
    const answer = await fetch(`${target}${url}`, {
      method,
      body,
      headers: { authorization, "content-type": type },
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  return `http://127.0.0.1:${port}`;
}

/** The same service, seen on a machine whose clock is `aheadMs` ahead. */
export async function dated(target: string, aheadMs: number): Promise<string> {
  const port = await served(async (request, response) => {
    const answer = await fetch(`${target}${request.url ?? "/"}`);
    const date = new Date(Date.now() + aheadMs).toUTCString();
    response.writeHead(answer.status, { date }).end(await answer.text());
  });
  return `http://127.0.0.1:${port}`;
}
