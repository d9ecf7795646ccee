/**
 * The transport on node's http server and `ws`: for machines whose system cannot load uWebSockets.js, and the yardstick
 * that keeps the contract honest. Same behaviour, several times the memory and CPU per worker. Owns the http server and
 * the handshake; the rest is AgentLink, Admission and serveNodeHttp, as for the other one.
 */
import { type IncomingMessage, type Server, ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createNodeDoor, nodeHeadProblem, readNodeHead } from "@muster/runtime/node-door";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { Admission, isAgentPath } from "./admission.js";
import { AgentLink, type Wire } from "./agent-link.js";
import { Errands } from "./errands.js";
import { announcesBody, handshakeProblem, WEBSOCKET_VERSION } from "./handshake.js";
import { KeepAlive } from "./keep-alive.js";
import { listenErrorFrom } from "./listen-error.js";
import { serveNodeHttp } from "./node-http.js";
import { addressFromText } from "./remote-address.js";
import type {
  StartTransport,
  Transport,
  TransportDeps,
  UpgradeDecision,
  UpgradeRequest,
} from "./transport.js";
import { Unsent } from "./unsent.js";

const HTTP_LINGER_MS = 2_000;
/** How long a closing handshake may take, with a peer that may have to read what waits for it first. */
const CLOSE_TIMEOUT_MS = 8_000;
/** The same when the transport closes. */
const CLOSE_LINGER_MS = 100;
/** As uWebSockets.js: it knows no older HTTP. */
const RULES = { versions: ["1.1"], refuse: handshakeProblem };

export const startWsTransport: StartTransport = async (deps) => {
  const transport = new WsTransport(deps);
  await transport.listen();
  return transport;
};

class WsTransport<C> implements Transport {
  readonly name = "ws";
  readonly #deps: TransportDeps<C>;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #admission: Admission<C>;
  readonly #keepAlive: KeepAlive;
  readonly #unsent: Unsent;
  readonly #links = new Set<AgentLink>();
  /** Sockets that left HTTP, until their TCP connection ends: the http server no longer knows them. */
  readonly #upgraded = new Set<Socket>();
  readonly #answers = new Errands();
  readonly #handshakes = new Errands();
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(deps: TransportDeps<C>) {
    this.#deps = deps;
    this.#server = createNodeDoor({
      ...{ keepAliveMs: deps.keepAliveMs, requestMs: deps.requestMs, ...RULES },
      serve: (req, res) => this.#answers.run(serveNodeHttp(deps, req, res)),
    });
    this.#admission = new Admission(deps);
    this.#keepAlive = new KeepAlive({ ...deps, nowMs });
    this.#unsent = new Unsent({ mostBytes: deps.maxUnsentBytes, lingerMs: CLOSE_TIMEOUT_MS, nowMs });
    // `closeTimeout` is newer than the library's types.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // As uWebSockets.js: AgentLink closes with a reason up to twice the bound.
      maxPayload: deps.maxFrameBytes * 2,
      handleProtocols: () => false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    this.#webSockets = new WebSocketServer(options);
    this.#server.on("upgrade", (req: IncomingMessage, socket: Socket, head) =>
      this.#upgrade(req, socket, head),
    );
  }

  get port(): number {
    return this.#port;
  }

  connections(): number {
    return this.#links.size;
  }

  stopAccepting(): void {
    this.#admission.stop();
  }

  async listen(): Promise<void> {
    const { host, port } = this.#deps;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) => reject(listenErrorFrom(host, port, error)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#keepAlive.start();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** In this order: nobody new, then everybody is told, then what still runs gets its moment, then the rest is cut. */
  async #close(): Promise<void> {
    this.stopAccepting();
    const stopped = new Promise((resolve) => this.#server.close(resolve));
    this.#keepAlive.stop();
    for (const link of [...this.#links]) link.close(1001, "server going away");
    await this.#answers.done(HTTP_LINGER_MS);
    await this.#handshakes.done(CLOSE_LINGER_MS);
    this.#server.closeAllConnections();
    for (const socket of this.#upgraded) socket.destroy();
    await stopped;
  }

  #upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#follow(socket);
    const problem = nodeHeadProblem(req, RULES);
    if (problem !== undefined) {
      refuse(socket, problem.status, problem.reason);
      return;
    }
    const request = readUpgrade(req);
    if (req.method !== "GET" || !isAgentPath(request.path)) {
      this.#serveUpgradeAsHttp(req, socket);
      return;
    }
    const act = (decision: UpgradeDecision<C>) => {
      if (!decision.accept) return refuse(socket, decision.status, decision.reason);
      this.#webSockets.handleUpgrade(req, socket, head, (ws) => this.#opened(ws, request, decision.context));
    };
    const decision = this.#admission.decide(request);
    if (decision instanceof Promise) void this.#actLater(decision, socket, act);
    else act(decision);
  }

  /** From here on nobody else watches this socket for errors, or ends it when we close. */
  #follow(socket: Socket): void {
    socket.on("error", () => {});
    this.#upgraded.add(socket);
    this.#handshakes.run(
      new Promise((resolve) => {
        socket.once("close", () => {
          this.#upgraded.delete(socket);
          resolve();
        });
      }),
    );
  }

  async #actLater(
    pending: Promise<UpgradeDecision<C>>,
    socket: Socket,
    act: (decision: UpgradeDecision<C>) => void,
  ): Promise<void> {
    // Only who reads a socket learns that its peer has gone. RFC 6455 4.1: until the answer, a client sends nothing.
    const giveUp = () => socket.destroy();
    socket.on("data", giveUp).on("end", giveUp);
    const decision = await pending;
    socket.off("data", giveUp).off("end", giveUp);
    if (!socket.destroyed) act(decision);
  }

  /** An upgrade to something else than an agent socket is an ordinary request, whose answer may be that it cannot be. */
  #serveUpgradeAsHttp(req: IncomingMessage, socket: Socket): void {
    // Node has let go of the connection, and would give out an empty one.
    if (announcesBody(readNodeHead(req))) {
      refuse(socket, 400, "bad request: a request to upgrade has no body");
      return;
    }
    const res = new ServerResponse(req);
    res.assignSocket(socket);
    res.shouldKeepAlive = false;
    res.on("finish", () => socket.destroySoon());
    this.#answers.run(serveNodeHttp(this.#deps, req, res));
  }

  #opened(ws: WebSocket, request: UpgradeRequest, context: C): void {
    let link: AgentLink | undefined;
    const wire = wireOf(ws, () => link?.flushed());
    link = new AgentLink({
      ...this.#deps,
      unsent: this.#unsent,
      wire,
      remoteAddress: request.remoteAddress,
      nowMs,
      gone: (closed) => {
        this.#links.delete(closed);
        this.#keepAlive.remove(closed);
      },
    });
    listen(ws, link, this.#deps.maxFrameBytes);
    this.#links.add(link);
    this.#keepAlive.add(link);
    link.start((socket) => this.#deps.open(socket, context));
  }
}

function nowMs(): number {
  return performance.now();
}

function wireOf(ws: WebSocket, flushed: () => void): Wire {
  return {
    send: (data) => {
      if (ws.readyState !== ws.OPEN) return false;
      ws.send(data, flushed);
      return true;
    },
    bufferedBytes: () => ws.bufferedAmount,
    ping: () => ws.ping(),
    end: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
  };
}

function listen(ws: WebSocket, link: AgentLink, maxFrameBytes: number): void {
  ws.on("message", (data: Buffer, isBinary) => link.received(data, isBinary));
  ws.on("ping", () => link.heard());
  ws.on("pong", () => link.heard());
  // A protocol error; `ws` closes the socket itself, with the code that fits.
  ws.on("error", (error: Error & { code?: string }) => {
    const tooLong = error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
    if (tooLong) link.close(1009, `frame above ${maxFrameBytes} bytes`);
  });
  ws.on("close", (code, reason) => link.wireClosed(code, reason.toString()));
}

function readUpgrade(req: IncomingMessage): UpgradeRequest {
  const [path = "", ...query] = (req.url ?? "").split("?");
  const forwarded = req.headers["x-forwarded-for"];
  return {
    path,
    query: new URLSearchParams(query.join("?")),
    authorization: req.headers.authorization,
    userAgent: req.headers["user-agent"],
    origin: req.headers.origin || textOf(req.headers["sec-websocket-origin"]) || undefined,
    remoteAddress: addressFromText(req.socket.remoteAddress ?? ""),
    forwardedFor: Array.isArray(forwarded) ? forwarded.join(", ") : forwarded,
  };
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(", ") : header;
}

function refuse(socket: Socket, status: number, reason: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}`,
    "connection: close",
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(reason)}`,
    ...(status === 426 ? [`sec-websocket-version: ${WEBSOCKET_VERSION}`] : []),
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${reason}`, () => socket.destroySoon());
}
