/**
 * The port between the gateway and the network: agent WebSockets on one side, everything else as fetch-style HTTP on the
 * other, both on one TCP port. Types only. Two implementations, uws-transport.ts and ws-transport.ts, pass one contract
 * suite; what a caller may rely on is what is written here and nothing of either library. Knows no protocol above frames.
 */
import type { Log } from "@muster/runtime/log";

/** What is known of a peer that asks for an agent WebSocket, before it has one. */
export interface UpgradeRequest {
  path: string;
  query: URLSearchParams;
  authorization: string | undefined;
  /** The User-Agent header; the peer writes it. */
  userAgent: string | undefined;
  /** The Origin header, which browsers send. */
  origin: string | undefined;
  /** The peer's ip: IPv4 dotted (also when it came in as ::ffff:…), IPv6 in its short form. */
  remoteAddress: string;
  /** The X-Forwarded-For header as sent, several joined by ", ". The peer writes it: trust it only from your own proxy. */
  forwardedFor: string | undefined;
}

/** Refused: an HTTP answer with this status and the reason as its text. */
export type UpgradeDecision<C> =
  | { accept: true; context: C }
  | { accept: false; status: number; reason: string };

export interface AgentSocket {
  /**
   * "sent": handed to the kernel. "buffered": kept until the peer reads; `drained` follows once all of it is gone.
   * "dropped": the socket is closed, or what waits would pass `maxBufferedBytes`, and then it is closed with 1013.
   * A message is never refused for its own size: with nothing waiting it always goes. Never throws.
   * The bytes may be reused as soon as the call returns "sent"; otherwise leave them alone.
   */
  send(data: Uint8Array | string): "sent" | "buffered" | "dropped";
  /** Closes with a WebSocket close code that may be sent (1000-1003, 1007-1014, 3000-4999); the reason is cut at 123 bytes. */
  close(code: number, reason: string): void;
  readonly bufferedBytes: number;
  readonly remoteAddress: string;
  readonly closed: boolean;
}

/** What the transport tells of one socket. None of these is called from inside `send` or `close`. */
export interface SocketHandlers {
  /**
   * One frame: binary as bytes, text as a string. The bytes are a view into the network buffer, valid only until this
   * returns: decode or copy before the first await. Throwing is a bug: it is logged and the socket closed with 1011.
   */
  message(data: Uint8Array | string): void;
  /** All that was "buffered" has left. */
  drained(): void;
  /** The socket is gone: exactly once, whoever closed it, and nothing after it. 1005: no code given, 1006: cut. */
  closed(code: number, reason: string): void;
}

export interface TransportDeps<C> {
  host: string;
  /** 0 for any free port; see `Transport.port`. */
  port: number;
  /** Called before each upgrade on /agent, //agent and /agent/. Throwing refuses with 500. */
  authorize(request: UpgradeRequest): UpgradeDecision<C> | Promise<UpgradeDecision<C>>;
  /** Called once for each accepted socket, before its first frame. Throwing closes the socket with 1011. */
  open(socket: AgentSocket, context: C): SocketHandlers;
  /**
   * Everything that is not an agent WebSocket. Throwing answers 500. `request.signal` aborts when the peer goes away.
   * The request is fetch's in every member, but `new Request(request)` and `fetch(request)` refuse it, since they look
   * behind the members: give them its url and `{ method, headers, body, signal, duplex: "half" }`.
   * A body that is ready is sent with its length; one that comes over time is sent chunked, its head no later than its
   * first chunk (so a stream that wants to be seen early begins with a chunk).
   */
  http(request: Request, remoteAddress: string): Promise<Response>;
  /** Each socket is pinged this often. */
  pingIntervalMs: number;
  /** A peer of which nothing was heard (no frame, ping or pong) for this long is cut: `closed` with 1006. At least pingIntervalMs. */
  silenceMs: number;
  /** A frame above this closes the socket with 1009. Far above it (twice), the peer may see 1006 instead. */
  maxFrameBytes: number;
  /** What may wait for one slow peer, in bytes. */
  maxBufferedBytes: number;
  /** And for all of them together: above it the one that most waits for is cut, and `closed` with 1013. */
  maxUnsentBytes: number;
  /**
   * How long an HTTP connection stays open between two requests, in ms; default HTTP_KEEP_ALIVE_MS. uWebSockets.js cannot
   * be told: there, a request that a proxy forwarded is the last of its connection.
   */
  keepAliveMs?: number;
  /**
   * How long an HTTP request may take to come, in ms; default HTTP_REQUEST_MS. Then 408, and the connection is closed. A
   * head has HTTP_HEAD_MS at most. uWebSockets.js ends what comes slower than 16 KB/s or not at all after 32 s, by itself.
   */
  requestMs?: number;
  /** HTTP request bodies above this are answered 413. */
  maxBodyBytes: number;
  log: Log;
}

export interface Transport {
  readonly name: "uWebSockets.js" | "ws";
  /** The port it really listens on. */
  readonly port: number;
  /** Open agent sockets. */
  connections(): number;
  /** From now on upgrades are refused with 503; open sockets and HTTP go on. */
  stopAccepting(): void;
  /** Stops listening, closes every socket with 1001, lets HTTP answers finish for a moment, cuts the rest. Repeatable. */
  close(): Promise<void>;
}

/** Rejects with a ListenError that says what is wrong with the host or port, for instance that it is taken. */
export type StartTransport = <C>(deps: TransportDeps<C>) => Promise<Transport>;
