/**
 * Why a transport could not listen, in words an operator can act on. uWebSockets.js only says that it could not, and
 * does not say that a port is shared; `requireFree` asks the kernel through node.
 */
import { createServer } from "node:net";

export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly host: string;
  readonly port: number;
  /** The system's error code, "EADDRINUSE" for a taken port. */
  readonly code: string;

  constructor(host: string, port: number, code: string) {
    super(explain(host, port, code));
    this.host = host;
    this.port = port;
    this.code = code;
  }
}

export function listenErrorFrom(host: string, port: number, error: unknown): ListenError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new ListenError(host, port, code);
}

/** Rejects with a ListenError when this address cannot be listened on, by listening on it for a moment. */
export async function requireFree(host: string, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenErrorFrom(host, port, error)));
    server.listen({ host, port, exclusive: true }, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

function explain(host: string, port: number, code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is taken by another process: stop that one, or choose another port`;
    case "EACCES":
      return `port ${port} on ${host} needs rights this process lacks: choose a port above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `host ${host} is no address of this machine: listen on 0.0.0.0, :: or one of its own (${code})`;
    default:
      return `cannot listen on port ${port} of ${host} (${code}): try again, or choose another port`;
  }
}
