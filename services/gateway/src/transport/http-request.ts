/**
 * From what a server read of a request to a fetch `Request`; its head is well formed, by `headProblem`. Owns the refusal
 * of a body announced above the bound (413). Node's own Request costs more than all else
 * about a small call (an abort controller, a weak reference and a finalizer each), so it is made only when somebody uses
 * a member of it that is not written out here.
 */

import type { RequestHead } from "@muster/runtime/request-head";

export type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | undefined;

const decoder = new TextDecoder();

/** Throws TypeError when fetch cannot express it; the peer is then at fault. `signal` is asked only when it is wanted. */
export function buildRequest(head: RequestHead, body: Body, signal: () => AbortSignal): Request {
  const headers = new Headers(head.headers);
  const url = new URL(`http://${headers.get("host") ?? "localhost"}${head.target}`);
  const hasBody = head.method !== "GET" && head.method !== "HEAD";
  const request = new LightRequest(head.method, url.href, headers, hasBody ? body : undefined, signal);
  // Its prototype gives it every other member, each by way of the real one.
  return request as unknown as Request;
}

export function announcesTooMuch(head: RequestHead, maxBytes: number): boolean {
  const length = head.headers.find(([name]) => name === "content-length")?.[1];
  return length !== undefined && Number(length) > maxBytes;
}

class LightRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly #body: Body;
  readonly #signal: () => AbortSignal;
  #used = false;
  #real: Request | undefined;

  constructor(method: string, url: string, headers: Headers, body: Body, signal: () => AbortSignal) {
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.#body = body;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal();
  }

  get bodyUsed(): boolean {
    return this.#used || this.#real?.bodyUsed === true;
  }

  async text(): Promise<string> {
    const bytes = this.#takeBytes();
    return bytes === undefined ? this.real().text() : decoder.decode(bytes);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = this.#takeBytes();
    return bytes === undefined ? this.real().arrayBuffer() : bytes.slice().buffer;
  }

  real(): Request {
    const { method, headers } = this;
    const body = this.#body === undefined ? {} : { body: this.#body, duplex: "half" as const };
    this.#real ??= new Request(this.url, { method, headers, signal: this.#signal(), ...body });
    return this.#real;
  }

  /** The whole body, if it is here already and nobody but us can have read it. */
  #takeBytes(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#used) throw new TypeError("the body has been read already");
    if (this.#real !== undefined || this.#body instanceof ReadableStream) return undefined;
    this.#used = true;
    return this.#body ?? new Uint8Array();
  }
}

for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(Request.prototype))) {
  if (Object.hasOwn(LightRequest.prototype, name) || ["method", "url", "headers"].includes(name)) continue;
  Object.defineProperty(LightRequest.prototype, name, {
    get(this: LightRequest) {
      const real = this.real();
      const value: unknown = Reflect.get(real, name);
      return typeof member.value === "function" ? (value as () => unknown).bind(real) : value;
    },
  });
}
// So that `instanceof Request` holds.
Object.setPrototypeOf(LightRequest.prototype, Request.prototype);
