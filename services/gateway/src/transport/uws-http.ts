/**
 * uWebSockets.js requests as fetch requests. Its objects live shorter than JavaScript expects: the request until the
 * handler returns, a body chunk until its callback returns, the response until it is ended or aborted; touching one later
 * crashes or throws. So everything is copied at once, and the response is only touched through `UwsOutgoing`.
 */

import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { STATUS_CODES } from "node:http";
import { HTTP_REQUEST_MS } from "@muster/runtime/config-fields";
import { type HeadProblem, headProblem, type RequestHead } from "@muster/runtime/request-head";
import { BoundedBody } from "./bounded-body.js";
import { announcesBody, handshakeProblem, WEBSOCKET_VERSION } from "./handshake.js";
import { answer, type Head, headOf, type Outgoing, signalOf, textAnswer } from "./http-answer.js";
import { announcesTooMuch, type Body, buildRequest } from "./http-request.js";
import { addressFromBytes } from "./remote-address.js";
import type { TransportDeps } from "./transport.js";

const NOT_ASCII = /[\u0080-\uffff]/;
/** What proxies add to a request. */
const FORWARDED_HEADERS = new Set(["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]);

export type HttpDeps = Pick<TransportDeps<unknown>, "http" | "maxBodyBytes" | "requestMs" | "log">;

/** Settles when the answer has been handed over, or the peer has gone. */
export async function serveUwsHttp(deps: HttpDeps, res: HttpResponse, req: HttpRequest): Promise<void> {
  const head = readHead(req);
  const problem = headProblem(head) ?? handshakeProblem(head);
  if (problem !== undefined) return await refuseHead(res, problem);
  const remoteAddress = addressFromBytes(res.getRemoteAddress());
  const out = new UwsOutgoing(res, isForwarded(head));
  if (announcesTooMuch(head, deps.maxBodyBytes)) return refuse(out, 413, tooLarge(deps));
  const body = await firstOfBody(deps, head, res, out);
  if (out.over) return;
  const request = buildRequest(head, body, () => out.signal);
  await answer(head.method, out, () => deps.http(request, remoteAddress), deps.log);
}

/**
 * The connection is closed behind the answer. Not before the library has read all that came with this request: it goes on
 * to the next one whatever was answered, but cuts a connection on which one is still waiting. So what may be the rest of
 * this request is never served as another.
 */
export function refuseHead(res: HttpResponse, { status, reason }: HeadProblem): Promise<void> {
  const out = new UwsOutgoing(res, false);
  out.closeBehind();
  return new Promise((resolve) => {
    setImmediate(() => {
      const head = headOf(textAnswer(status, reason));
      if (status === 426) head.headers.push(["sec-websocket-version", WEBSOCKET_VERSION]);
      out.end(head, Buffer.from(reason), undefined);
      resolve();
    });
  });
}

export function readHead(req: HttpRequest): RequestHead {
  const headers: RequestHead["headers"] = [];
  req.forEach((name, value) => {
    // The library reads values as UTF-8; fetch, and node, have bytes.
    const bytes = NOT_ASCII.test(value) ? Buffer.from(value).toString("latin1") : value;
    headers.push([name, bytes]);
  });
  // Undefined, and not "" as its types say, when there is none.
  const query: string | undefined = req.getQuery();
  const target = query ? `${req.getUrl()}?${query}` : req.getUrl();
  return { method: req.getCaseSensitiveMethod(), target, headers };
}

/**
 * The library closes an idle connection after about 30 s and has no setting for it; proxies keep theirs for 60 s and more.
 * What a proxy then sends on such a connection is lost, and a POST gets 502. So a proxy is told to close each one.
 */
function isForwarded({ headers }: RequestHead): boolean {
  return headers.some(([name]) => FORWARDED_HEADERS.has(name));
}

function refuse(out: Outgoing, status: number, text: string): void {
  out.end(headOf(textAnswer(status, text)), Buffer.from(text), undefined);
}

function tooLarge(deps: HttpDeps): string {
  return `body above ${deps.maxBodyBytes} bytes`;
}

/**
 * The body, once its first part is there: as bytes when that is all of it, which is how nearly every request comes,
 * else as a stream. The library reports a request without a body as one empty last part.
 */
function firstOfBody(deps: HttpDeps, head: RequestHead, res: HttpResponse, out: UwsOutgoing): Promise<Body> {
  const whole = head.headers.some(([name]) => name === "transfer-encoding") ? wholeChunked(out) : atOnce;
  return new Promise((resolve) => {
    let body: BoundedBody | undefined;
    const fail = (problem: string) => {
      body?.fail(new Error(problem));
      resolve(undefined);
    };
    const inTime = announcesBody(head) ? bodyDeadline(deps, out, fail) : atOnce;
    out.onAbort(() => inTime(() => fail("the peer has gone")));
    res.onData((part, isLast) => {
      if (body === undefined && isLast) {
        const bytes = part.byteLength === 0 ? undefined : new Uint8Array(part.slice(0));
        inTime(() => whole(() => resolve(bytes)));
        return;
      }
      body ??= streamedBody(deps, res, out, resolve);
      if (!body.push(new Uint8Array(part.slice(0)))) refuse(out, 413, tooLarge(deps));
      else if (isLast) inTime(() => whole(() => body?.end()));
    });
  });
}

type Run = (act: () => void) => void;
const atOnce: Run = (act) => act();

/**
 * The library's reader of chunks takes much for one that is none, and reads what follows the last (trailers) as another
 * request. So such a request is the last of its connection, and its end counts only when all that came with it was read:
 * had another request been in it, the connection would be gone.
 */
function wholeChunked(out: UwsOutgoing): Run {
  out.closeBehind();
  return (act) => void setImmediate(() => out.whileOpen(act));
}

/** Refuses what is late; what ends in time is acted on. The library only ends what stands still. */
function bodyDeadline(
  { requestMs = HTTP_REQUEST_MS }: HttpDeps,
  out: UwsOutgoing,
  fail: (problem: string) => void,
): Run {
  const timer = setTimeout(() => {
    out.closeBehind();
    if (out.begun) out.cut();
    else refuse(out, 408, `request not complete within ${requestMs} ms`);
    fail("the body came too slowly");
  }, requestMs);
  out.beforeEnd(() => clearTimeout(timer));
  return (act) => {
    clearTimeout(timer);
    act();
  };
}

function streamedBody(
  deps: HttpDeps,
  res: HttpResponse,
  out: UwsOutgoing,
  resolve: (body: Body) => void,
): BoundedBody {
  const body = new BoundedBody({
    maxBytes: deps.maxBodyBytes,
    pause: () => out.whileOpen(() => res.pause()),
    resume: () => out.whileOpen(() => res.resume()),
  });
  // A paused connection would stay so for the next request on it.
  out.beforeEnd(() => body.discard());
  resolve(body.stream);
  return body;
}

class UwsOutgoing implements Outgoing {
  readonly #res: HttpResponse;
  /** The peer is told to close the connection after the answer. */
  readonly #isLast: boolean;
  /** We close it. */
  #closes = false;
  #gone = false;
  #abort: AbortController | undefined;
  #ended = false;
  #pendingHead: Head | undefined;
  #writable: (() => void) | undefined;
  #atAbort: (() => void) | undefined;
  readonly #atEnd: (() => void)[] = [];
  #begun = false;

  constructor(res: HttpResponse, isLast: boolean) {
    this.#res = res;
    this.#isLast = isLast;
    res.onAborted(() => {
      this.#gone = true;
      this.#abort?.abort();
      this.#atAbort?.();
      this.#writable?.();
    });
  }

  get over(): boolean {
    return this.#ended || this.#gone;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return signalOf(this.#abort, this.#gone);
  }

  onAbort(run: () => void): void {
    this.#atAbort = run;
  }

  /** Something of the answer may have left. */
  get begun(): boolean {
    return this.#begun;
  }

  /** After the answer the connection is closed; after one in parts the peer is told to. */
  closeBehind(): void {
    this.#closes = true;
  }

  beforeEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  whileOpen(run: () => void): void {
    if (!this.over) run();
  }

  end(head: Head, body: Uint8Array | undefined, contentLength: number | undefined): void {
    this.#finally(() => {
      const hasLength = body !== undefined || contentLength !== undefined;
      // Where the library closes, it writes the header itself; without a length it cannot be told to.
      this.#writeHead(head, hasLength && this.#closes ? false : this.#isLast || this.#closes);
      if (body !== undefined) this.#res.end(body, this.#closes);
      else if (contentLength === undefined) this.#res.endWithoutBody();
      else this.#res.endWithoutBody(contentLength, this.#closes);
    });
  }

  /** Kept until the first chunk: the library completes a head only together with the first bytes after it. */
  begin(head: Head): void {
    this.#pendingHead = head;
    this.#begun = true;
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.over || chunk.byteLength === 0) return Promise.resolve();
    let flowing = true;
    this.#res.cork(() => {
      this.#writePendingHead();
      flowing = this.#res.write(chunk);
    });
    if (flowing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#writable = resolve;
      this.#res.onWritable(() => {
        resolve();
        return true;
      });
    });
  }

  finish(): void {
    this.#finally(() => {
      this.#writePendingHead();
      this.#res.end();
    });
  }

  cut(): void {
    if (!this.over) this.#res.close();
  }

  #finally(write: () => void): void {
    if (this.over) return;
    for (const run of this.#atEnd) run();
    this.#ended = true;
    this.#res.cork(write);
  }

  #writePendingHead(): void {
    if (this.#pendingHead !== undefined) this.#writeHead(this.#pendingHead, this.#isLast || this.#closes);
    this.#pendingHead = undefined;
  }

  #writeHead(head: Head, saysClose: boolean): void {
    this.#res.writeStatus(`${head.status} ${head.statusText || STATUS_CODES[head.status]}`);
    for (const [name, value] of head.headers) this.#res.writeHeader(name, value);
    // Not by end(): after a body in parts the library would write it behind the body. The peer closes.
    if (saysClose) this.#res.writeHeader("connection", "close");
  }
}
