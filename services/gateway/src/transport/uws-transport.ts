/**
 * The transport on uWebSockets.js: an idle worker costs it a kilobyte. Translates between the library and AgentLink,
 * Admission and serveUwsHttp, and owns the listen socket. Must never touch a library object after its end: requests live
 * until their handler returns, sockets until their close handler was called.
 */

import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from "uWebSockets.js";
import { STATUS_CODES } from "node:http";
import { headProblem } from "@muster/runtime/request-head";
import { Admission, AGENT_PATHS } from "./admission.js";
import { AgentLink, type Wire } from "./agent-link.js";
import { Errands } from "./errands.js";
import { handshakeProblem } from "./handshake.js";
import { KeepAlive } from "./keep-alive.js";
import { addressFromBytes } from "./remote-address.js";
import type {
  StartTransport,
  Transport,
  TransportDeps,
  UpgradeDecision,
  UpgradeRequest,
} from "./transport.js";
import { Unsent } from "./unsent.js";
import { readHead, refuseHead, serveUwsHttp } from "./uws-http.js";
import { listenAlone, loadUws, type Uws } from "./uws-native.js";

/** What the library keeps for each socket. */
interface Seat<C> {
  context: C;
  remoteAddress: string;
  link: AgentLink | undefined;
}

/** Peers that answered the close get to read it; after this the kernel may reset what they have not read. */
const CLOSE_LINGER_MS = 100;
/** HTTP answers under way when the transport closes. */
const HTTP_LINGER_MS = 2_000;
/** The library's own limits on its idle timeout, in seconds. */
const IDLE_TIMEOUT_S = { least: 8, most: 960 };

export const startUwsTransport: StartTransport = async (deps) => {
  const uws = await loadUws();
  const transport = new UwsTransport(deps, uws);
  await transport.listen();
  return transport;
};

class UwsTransport<C> implements Transport {
  readonly name = "uWebSockets.js";
  readonly #deps: TransportDeps<C>;
  readonly #uws: Uws;
  readonly #app: TemplatedApp;
  readonly #admission: Admission<C>;
  readonly #keepAlive: KeepAlive;
  readonly #unsent: Unsent;
  readonly #links = new Set<AgentLink>();
  readonly #answers = new Errands();
  #listening: us_listen_socket | undefined;
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(deps: TransportDeps<C>, uws: Uws) {
    this.#deps = deps;
    this.#uws = uws;
    this.#admission = new Admission(deps);
    this.#keepAlive = new KeepAlive({ ...deps, nowMs });
    this.#unsent = new Unsent({
      mostBytes: deps.maxUnsentBytes,
      lingerMs: this.#idleTimeoutS() * 1_000,
      nowMs,
    });
    this.#app = uws.App();
    this.#route();
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
    try {
      this.#listening = await listenAlone(this.#app, this.#deps.host, this.#deps.port);
    } catch (error) {
      this.#app.close();
      throw error;
    }
    this.#port = this.#uws.us_socket_local_port(this.#listening);
    this.#keepAlive.start();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** In this order: nobody new, then everybody is told, then what still runs gets its moment, then the rest is cut. */
  async #close(): Promise<void> {
    this.stopAccepting();
    if (this.#listening !== undefined) this.#uws.us_listen_socket_close(this.#listening);
    this.#keepAlive.stop();
    const hadSockets = this.#links.size > 0;
    for (const link of [...this.#links]) link.close(1001, "server going away");
    await this.#answers.done(HTTP_LINGER_MS);
    if (hadSockets) await new Promise((resolve) => setTimeout(resolve, CLOSE_LINGER_MS));
    this.#app.close();
  }

  #route(): void {
    const { maxFrameBytes, maxBufferedBytes } = this.#deps;
    for (const path of AGENT_PATHS) {
      this.#app.ws<Seat<C>>(path, {
        compression: this.#uws.DISABLED,
        // Above it the library cuts the peer (1006); up to it AgentLink can close with a code that says why.
        maxPayloadLength: maxFrameBytes * 2,
        // AgentLink holds the bound; the library must never drop a message on its own.
        maxBackpressure: maxBufferedBytes * 2,
        // KeepAlive decides; this ends sockets that were closed while their peer did not read.
        idleTimeout: this.#idleTimeoutS(),
        sendPingsAutomatically: false,
        upgrade: (res, req, context) => this.#upgrade(res, req, context),
        open: (ws) => this.#opened(ws),
        message: (ws, message, isBinary) =>
          ws.getUserData().link?.received(new Uint8Array(message), isBinary),
        ping: (ws) => ws.getUserData().link?.heard(),
        pong: (ws) => ws.getUserData().link?.heard(),
        drain: (ws) => ws.getUserData().link?.flushed(),
        close: (ws, code, reason) => ws.getUserData().link?.wireClosed(code, Buffer.from(reason).toString()),
      });
    }
    this.#app.any("/*", (res, req) => this.#answers.run(serveUwsHttp(this.#deps, res, req)));
  }

  #idleTimeoutS(): number {
    const seconds = Math.ceil((2 * this.#deps.silenceMs) / 1000);
    return Math.min(IDLE_TIMEOUT_S.most, Math.max(IDLE_TIMEOUT_S.least, seconds));
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const head = readHead(req);
    const problem = headProblem(head) ?? handshakeProblem(head);
    if (problem !== undefined) {
      this.#answers.run(refuseHead(res, problem));
      return;
    }
    const request = readUpgrade(res, req);
    const key = req.getHeader("sec-websocket-key");
    const act = (decision: UpgradeDecision<C>) => {
      if (!decision.accept) {
        refuse(res, decision.status, decision.reason);
        return;
      }
      const seat = { context: decision.context, remoteAddress: request.remoteAddress, link: undefined };
      // No subprotocol and no extension: compression would cost a worker's socket more than all the rest of it.
      res.upgrade<Seat<C>>(seat, key, "", "", context);
    };
    const decision = this.#admission.decide(request);
    if (!(decision instanceof Promise)) {
      act(decision);
      return;
    }
    let aborted = false;
    res.onAborted(() => {
      aborted = true;
    });
    void decision.then((late) => {
      if (!aborted) res.cork(() => act(late));
    });
  }

  #opened(ws: WebSocket<Seat<C>>): void {
    const seat = ws.getUserData();
    const link = new AgentLink({
      ...this.#deps,
      unsent: this.#unsent,
      wire: wireOf(ws),
      remoteAddress: seat.remoteAddress,
      nowMs,
      gone: (closed) => {
        this.#links.delete(closed);
        this.#keepAlive.remove(closed);
      },
    });
    seat.link = link;
    this.#links.add(link);
    this.#keepAlive.add(link);
    link.start((socket) => this.#deps.open(socket, seat.context));
  }
}

function nowMs(): number {
  return performance.now();
}

function wireOf(ws: WebSocket<unknown>): Wire {
  return {
    // 2 is "dropped". A string is sent as text, bytes as binary.
    send: (data) => ws.send(data, typeof data !== "string") !== 2,
    bufferedBytes: () => ws.getBufferedAmount(),
    ping: () => void ws.ping(),
    end: (code, reason) => ws.end(code, reason),
    terminate: () => ws.close(),
  };
}

function readUpgrade(res: HttpResponse, req: HttpRequest): UpgradeRequest {
  const forwarded: string[] = [];
  req.forEach((name, value) => {
    if (name === "x-forwarded-for") forwarded.push(value);
  });
  return {
    path: req.getUrl(),
    query: new URLSearchParams(req.getQuery() ?? ""),
    authorization: req.getHeader("authorization") || undefined,
    userAgent: req.getHeader("user-agent") || undefined,
    origin: req.getHeader("origin") || req.getHeader("sec-websocket-origin") || undefined,
    remoteAddress: addressFromBytes(res.getRemoteAddress()),
    forwardedFor: forwarded.length > 0 ? forwarded.join(", ") : undefined,
  };
}

function refuse(res: HttpResponse, status: number, reason: string): void {
  res
    .writeStatus(`${status} ${STATUS_CODES[status] ?? "Refused"}`)
    .writeHeader("content-type", "text/plain; charset=utf-8")
    .end(reason, true);
}
