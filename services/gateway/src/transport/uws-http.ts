/**
 * uWebSockets.js requests as fetch requests. Its objects live shorter than JavaScript expects: the request until the
 * handler returns, a body chunk until its callback returns, the response until it is ended or aborted; touching one later
 * crashes or throws. So everything is copied at once, and the response is only touched through `UwsOutgoing`.
 */

import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { STATUS_CODES } from "node:http";
import { BoundedBody } from "./bounded-body.js";
import { answer, type Head, headOf, type Outgoing, signalOf, textAnswer } from "./http-answer.js";
import { announcesTooMuch, type Body, buildRequest, type RequestHead } from "./http-request.js";
import { addressFromBytes } from "./remote-address.js";
import type { TransportDeps } from "./transport.js";

/** What proxies add to a request. */
const FORWARDED_HEADERS = new Set(["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]);

export type HttpDeps = Pick<TransportDeps<unknown>, "http" | "maxBodyBytes" | "log">;

/** Settles when the answer has been handed over, or the peer has gone. */
export async function serveUwsHttp(deps: HttpDeps, res: HttpResponse, req: HttpRequest): Promise<void> {
  const head = readHead(req);
  const remoteAddress = addressFromBytes(res.getRemoteAddress());
  const out = new UwsOutgoing(res, isForwarded(head));
  if (announcesTooMuch(head, deps.maxBodyBytes)) return refuse(out, 413, tooLarge(deps));
  const body = await firstOfBody(deps, res, out);
  if (out.over) return;
  const request = tryBuild(head, body, () => out.signal);
  if (typeof request === "string") return refuse(out, 400, request);
  await answer(head.method, out, () => deps.http(request, remoteAddress), deps.log);
}

function readHead(req: HttpRequest): RequestHead {
  const headers: RequestHead["headers"] = [];
  req.forEach((name, value) => {
    headers.push([name, value]);
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

function tryBuild(head: RequestHead, body: Body, signal: () => AbortSignal): Request | string {
  try {
    return buildRequest(head, body, signal);
  } catch (error) {
    return `bad request: ${error instanceof Error ? error.message : "unreadable"}`;
  }
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
function firstOfBody(deps: HttpDeps, res: HttpResponse, out: UwsOutgoing): Promise<Body> {
  return new Promise((resolve) => {
    let body: BoundedBody | undefined;
    out.onAbort(() => {
      body?.fail(new Error("the peer has gone"));
      resolve(undefined);
    });
    res.onData((part, isLast) => {
      if (body === undefined && isLast) {
        resolve(part.byteLength === 0 ? undefined : new Uint8Array(part.slice(0)));
        return;
      }
      body ??= streamedBody(deps, res, out, resolve);
      if (!body.push(new Uint8Array(part.slice(0)))) refuse(out, 413, tooLarge(deps));
      else if (isLast) body.end();
    });
  });
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
  #gone = false;
  #abort: AbortController | undefined;
  #ended = false;
  #pendingHead: Head | undefined;
  #writable: (() => void) | undefined;
  #atAbort: (() => void) | undefined;
  #atEnd: (() => void) | undefined;

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

  beforeEnd(run: () => void): void {
    this.#atEnd = run;
  }

  whileOpen(run: () => void): void {
    if (!this.over) run();
  }

  end(head: Head, body: Uint8Array | undefined, contentLength: number | undefined): void {
    this.#finally(() => {
      this.#writeHead(head);
      if (body !== undefined) this.#res.end(body);
      else if (contentLength === undefined) this.#res.endWithoutBody();
      else this.#res.endWithoutBody(contentLength);
    });
  }

  /** Kept until the first chunk: the library completes a head only together with the first bytes after it. */
  begin(head: Head): void {
    this.#pendingHead = head;
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
    this.#atEnd?.();
    this.#ended = true;
    this.#res.cork(write);
  }

  #writePendingHead(): void {
    if (this.#pendingHead !== undefined) this.#writeHead(this.#pendingHead);
    this.#pendingHead = undefined;
  }

  #writeHead(head: Head): void {
    this.#res.writeStatus(`${head.status} ${head.statusText || STATUS_CODES[head.status]}`);
    for (const [name, value] of head.headers) this.#res.writeHeader(name, value);
    // Not by end(): after a body in parts the library would write it behind the body. The peer closes.
    if (this.#isLast) this.#res.writeHeader("connection", "close");
  }
}
