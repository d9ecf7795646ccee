/**
 * Node's HTTP server with the bounds that every door has: how long a head and a request may take, how large and how many
 * headers are, and no request whose head could be read in two ways. Knows no handler, and answers nothing but refusals.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { HTTP_HEAD_MS, HTTP_KEEP_ALIVE_MS, HTTP_REQUEST_MS } from "./config-fields.js";
import { type HeadProblem, headProblem, type RequestHead } from "./request-head.js";

export interface NodeDoorOptions {
  /** How long a connection stays open between two requests, in ms; default HTTP_KEEP_ALIVE_MS. */
  keepAliveMs?: number | undefined;
  /** How long a request may take to come, head and body, in ms; default HTTP_REQUEST_MS. Its head has HTTP_HEAD_MS at most. */
  requestMs?: number | undefined;
  /** Versions of HTTP that are answered; others get 505. */
  versions: readonly string[];
  serve(req: IncomingMessage, res: ServerResponse): void;
  /** Of one door alone, for heads that are well formed. */
  refuse?(head: RequestHead): HeadProblem | undefined;
}

/** Node looks for requests that are late so often. */
const LOOK_EVERY_MS = 1_000;

export function createNodeDoor(options: NodeDoorOptions): Server {
  const { keepAliveMs = HTTP_KEEP_ALIVE_MS, requestMs = HTTP_REQUEST_MS } = options;
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    const problem = nodeHeadProblem(req, options);
    if (problem === undefined) options.serve(req, res);
    else refuseNode(req, res, problem);
  };
  const server = createServer(
    {
      // Begins with the first byte of a request: it may be shorter.
      keepAliveTimeout: keepAliveMs,
      headersTimeout: Math.min(HTTP_HEAD_MS, requestMs),
      requestTimeout: requestMs,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      // Ours counts them, and says so; and HTTP/1.0 has none.
      requireHostHeader: false,
    },
    onRequest,
  );
  // Those above it would be left out without a word; how large a head may be bounds them as well.
  server.maxHeadersCount = 0;
  server.on("checkExpectation", onRequest);
  return server;
}

export function nodeHeadProblem(
  req: IncomingMessage,
  { versions, refuse }: Pick<NodeDoorOptions, "versions" | "refuse">,
): HeadProblem | undefined {
  if (!versions.includes(req.httpVersion))
    return { status: 505, reason: `HTTP ${req.httpVersion} is not served` };
  const head = readNodeHead(req);
  // RFC 9112 6.1: from HTTP/1.0, it is faulty. A host was no must there.
  if (req.httpVersion === "1.0") {
    if (head.headers.some(([name]) => name === "transfer-encoding"))
      return { status: 400, reason: "bad request: transfer-encoding is not of HTTP/1.0" };
    if (!head.headers.some(([name]) => name === "host")) head.headers.push(["host", "localhost"]);
  }
  return headProblem(head) ?? refuse?.(head);
}

export function readNodeHead(req: IncomingMessage): RequestHead {
  const headers: RequestHead["headers"] = [];
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    headers.push([(req.rawHeaders[at] ?? "").toLowerCase(), req.rawHeaders[at + 1] ?? ""]);
  }
  return { method: req.method ?? "GET", target: req.url ?? "/", headers };
}

function refuseNode(req: IncomingMessage, res: ServerResponse, { status, reason }: HeadProblem): void {
  req.on("error", () => {});
  res.on("error", () => {});
  res.on("finish", () => req.socket.destroySoon());
  res.writeHead(status, {
    connection: "close",
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(reason),
  });
  res.end(req.method === "HEAD" ? undefined : reason);
}
