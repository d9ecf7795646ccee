/**
 * A request body on its way in: bytes pushed by a server become a web stream, with a bound on the whole and with the
 * network paused while nobody reads. What nobody wants any more is read and thrown away, since bytes left unread would
 * make the kernel reset the connection and with it the answer.
 */

const HIGH_WATER_BYTES = 64 * 1024;

export interface BoundedBodyDeps {
  maxBytes: number;
  pause(): void;
  resume(): void;
}

export class BoundedBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #deps: BoundedBodyDeps;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #receivedBytes = 0;
  #paused = false;

  constructor(deps: BoundedBodyDeps) {
    this.#deps = deps;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#resume(),
        cancel: () => this.discard(),
      },
      { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /** Takes bytes that stay as they are. False once the body is above its bound; the reader then finds an error. */
  push(chunk: Uint8Array): boolean {
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes > this.#deps.maxBytes) {
      this.fail(new Error(`body above ${this.#deps.maxBytes} bytes`));
      return false;
    }
    if (this.#controller === undefined || chunk.byteLength === 0) return true;
    this.#controller.enqueue(chunk);
    if ((this.#controller.desiredSize ?? 0) <= 0) this.#pause();
    return true;
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  /** The rest will not come. */
  fail(error: Error): void {
    this.#controller?.error(error);
    this.discard();
  }

  /** The rest is not wanted. */
  discard(): void {
    this.#controller = undefined;
    this.#resume();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#deps.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deps.resume();
  }
}
