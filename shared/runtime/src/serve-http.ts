/**
 * Owns listening for HTTP: the one place that knows @hono/node-server. Says what to do when a port is taken, and ends
 * without cutting off who is being answered, for a while. A client must be the one that closes an idle connection: a
 * server that does so may close it while a request is on its way, and the client cannot tell whether that was handled.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { DispatchError } from "@muster/domain/errors";
import type { Log } from "./log.js";
import { createNodeDoor } from "./node-door.js";

export interface ServeHttpOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** `remoteAddress` is the peer's; undefined when it has gone already. */
  fetch: (request: Request, remoteAddress: string | undefined) => Response | Promise<Response>;
  log: Log;
  /** How long a connection stays open between two requests, in ms; default HTTP_KEEP_ALIVE_MS. */
  keepAliveMs?: number;
  /** How long a request may take to come, in ms; default HTTP_REQUEST_MS. */
  requestMs?: number;
  /** The setting that moves the port, for the error that says so. */
  portSetting?: string;
}

export interface HttpServer {
  readonly port: number;
  /** Refuses new connections, lets requests end for CLOSE_DEADLINE_MS, then cuts what is left. */
  close(): Promise<void>;
}

const CLOSE_DEADLINE_MS = 5_000;
const CLOSING_KEEP_ALIVE_MS = 1;
/** HAProxy's health checks come by the older one. */
const VERSIONS = ["1.0", "1.1"];
/** HTTP/1.0 needs no host header. */
const HOST_OF_NONE = "localhost";

/** Throws DispatchError (`failed_precondition`) when the address cannot be listened on, with what to do about it. */
export async function serveHttp(options: ServeHttpOptions): Promise<HttpServer> {
  const { host, log } = options;
  const answer = getRequestListener(
    (request, { incoming }) => options.fetch(request, incoming.socket.remoteAddress),
    { hostname: HOST_OF_NONE },
  );
  const server = createNodeDoor({
    ...{ keepAliveMs: options.keepAliveMs, requestMs: options.requestMs, versions: VERSIONS },
    serve: (req, res) => void answer(req, res),
  });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  log.info({ host, port }, "listening for HTTP");
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS);
        // A connection that is answered from now on would otherwise be idle for all of it.
        server.keepAliveTimeout = CLOSING_KEEP_ALIVE_MS;
        server.close(() => {
          clearTimeout(deadline);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function listen(
  server: Server,
  { host, port, log, portSetting = "MUSTER_PORT" }: ServeHttpOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(listenProblem(error, host, port, portSetting));
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      server.on("error", (error) => log.error({ err: error }, "HTTP server error"));
      resolve();
    });
  });
}

function listenProblem(error: NodeJS.ErrnoException, host: string, port: number, portSetting: string): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return new DispatchError(
        "failed_precondition",
        `port ${port} on ${host} is taken; set ${portSetting} to another, or stop who has it (ss -ltnp "sport = :${port}" names it)`,
      );
    case "EACCES":
      return new DispatchError(
        "failed_precondition",
        `port ${port} may not be listened on by this user; set ${portSetting} to one above 1023`,
      );
    case "EADDRNOTAVAIL":
      return new DispatchError(
        "failed_precondition",
        `${host} is no address of this machine; set another host`,
      );
    default:
      return error;
  }
}
