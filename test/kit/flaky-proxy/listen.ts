/**
 * Owns the listening sockets of a proxy: on 127.0.0.1, half-open connections kept, so that each end is seen by itself.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "../ports.js";

const MAX_PORT_TRIES = 5;

/** A server of its own each time: one that was closed is not done before its connections are. */
export async function listenOn(port: number, onClient: (client: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onClient);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Somebody may take a port after it was found free. */
export async function listenOnFreePort(
  onClient: (client: Socket) => void,
): Promise<{ port: number; server: Server }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, server: await listenOn(port, onClient) };
    } catch (error) {
      if (attempt === MAX_PORT_TRIES) throw error;
    }
  }
}
