/**
 * Node's http requests as fetch requests, with the same rules as uws-http.ts: bounded bodies, an abort signal, whole or
 * chunked answers. Streams every body, since node hands them out in parts; nothing here must outlive its socket.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readNodeHead } from "@muster/runtime/node-door";
import { BoundedBody } from "./bounded-body.js";
import { answer, type Head, headOf, type Outgoing, signalOf, textAnswer } from "./http-answer.js";
import { announcesTooMuch, type Body, buildRequest } from "./http-request.js";
import { addressFromText } from "./remote-address.js";
import type { TransportDeps } from "./transport.js";

type HttpDeps = Pick<TransportDeps<unknown>, "http" | "maxBodyBytes" | "log">;

/** Settles when the answer has been handed over, or the peer has gone. */
export async function serveNodeHttp(
  deps: HttpDeps,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const head = readNodeHead(req);
  const remoteAddress = addressFromText(req.socket.remoteAddress ?? "");
  const out = new NodeOutgoing(res);
  // Failures of the connection; the response's "close" tells of them.
  req.on("error", () => {});
  if (announcesTooMuch(head, deps.maxBodyBytes))
    return refuse(out, 413, `body above ${deps.maxBodyBytes} bytes`);
  const body = hasBody(req) ? streamedBody(deps, req, out) : undefined;
  try {
    const request = buildRequest(head, body, () => out.signal);
    await answer(head.method, out, () => deps.http(request, remoteAddress), deps.log);
  } catch (error) {
    refuse(out, 400, `bad request: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

function hasBody(req: IncomingMessage): boolean {
  const length = req.headers["content-length"];
  return req.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
}

function refuse(out: Outgoing, status: number, text: string): void {
  out.end(headOf(textAnswer(status, text)), Buffer.from(text), undefined);
}

function streamedBody(deps: HttpDeps, req: IncomingMessage, out: NodeOutgoing): Body {
  const body = new BoundedBody({
    maxBytes: deps.maxBodyBytes,
    pause: () => req.pause(),
    resume: () => req.resume(),
  });
  req.on("data", (chunk: Buffer) => {
    if (!body.push(chunk)) refuse(out, 413, `body above ${deps.maxBodyBytes} bytes`);
  });
  req.on("end", () => body.end());
  req.on("close", () => {
    if (!req.complete) body.fail(new Error("the peer has gone"));
  });
  // What the handler left unread must not stand in the way of the next request on this connection.
  out.beforeEnd(() => body.discard());
  return body.stream;
}

class NodeOutgoing implements Outgoing {
  readonly #res: ServerResponse;
  #gone = false;
  #abort: AbortController | undefined;
  #writable: (() => void) | undefined;
  #atEnd: (() => void) | undefined;

  constructor(res: ServerResponse) {
    this.#res = res;
    res.on("error", () => {});
    res.on("drain", () => this.#writable?.());
    res.on("close", () => {
      this.#gone = !res.writableFinished;
      if (this.#gone) this.#abort?.abort();
      this.#writable?.();
    });
  }

  get over(): boolean {
    return this.#res.writableEnded || this.#res.destroyed || this.#gone;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return signalOf(this.#abort, this.#gone);
  }

  beforeEnd(run: () => void): void {
    this.#atEnd = run;
  }

  end(head: Head, body: Uint8Array | undefined, contentLength: number | undefined): void {
    if (this.over) return;
    const length = body?.byteLength ?? contentLength;
    this.#atEnd?.();
    this.#writeHead(head, length === undefined ? [] : ["content-length", String(length)]);
    this.#res.end(body);
  }

  begin(head: Head): void {
    if (!this.over) this.#writeHead(head, ["transfer-encoding", "chunked"]);
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.over || this.#res.write(chunk)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#writable = resolve;
    });
  }

  finish(): void {
    if (this.over) return;
    this.#atEnd?.();
    this.#res.end();
  }

  cut(): void {
    this.#res.destroy();
  }

  #writeHead(head: Head, framing: string[]): void {
    this.#res.writeHead(head.status, head.statusText, [...head.headers.flat(), ...framing]);
  }
}
