/**
 * Owns where one RESP frame ends and the next begins, in a stream that is cut anywhere: requests (arrays of bulk
 * strings, or inline) and replies (RESP2 and RESP3). Keeps no more than the first words of a request, and changes
 * nothing: who scans still holds the bytes.
 */

/** A frame that was read to its end. */
export interface Frame {
  /** Its first byte: "*", "$", ">" … */
  readonly type: string;
  /** The first two words of a request, as they were sent, each up to 64 bytes. Empty in replies. */
  readonly words: readonly string[];
}

const NEWLINE = 0x0a;
const CRLF_BYTES = 2;
const MAX_WORDS = 2;
/** Of a line or word. A header line is far shorter, and a script's sha has 40. */
const MAX_KEPT_BYTES = 64;

export class FrameScanner {
  readonly #isRequest: boolean;
  /** Values still to come until the frame is whole; nested ones count one by one. 0: between two frames. */
  #valuesLeft = 0;
  /** The kept start of the line that is being read; of a bulk string, of its content. */
  #kept = "";
  /** Of the bulk string that is being read, its CRLF included. 0: a line is read. */
  #bulkBytesLeft = 0;
  #isInLine = false;
  /** Not RESP: the rest is one frame without an end. Redis will say so, and close. */
  #isLost = false;
  #type = "";
  #words: string[] = [];

  constructor({ kind }: { kind: "request" | "reply" }) {
    this.#isRequest = kind === "request";
  }

  isBetweenFrames(): boolean {
    return this.#valuesLeft === 0 && !this.#isInLine && !this.#isLost;
  }

  /** Reads on to the end of a frame, or of `bytes`. Says how many bytes it read, and the frame if it ended there. */
  scan(bytes: Buffer): { length: number; frame: Frame | undefined } {
    let at = 0;
    while (at < bytes.length && !this.#isLost) {
      at += this.#bulkBytesLeft > 0 ? this.#scanBulk(bytes.subarray(at)) : this.#scanLine(bytes.subarray(at));
      if (this.isBetweenFrames()) return { length: at, frame: this.#takeFrame() };
    }
    return { length: bytes.length, frame: undefined };
  }

  #takeFrame(): Frame {
    const frame = { type: this.#type, words: this.#words };
    this.#words = [];
    return frame;
  }

  #scanBulk(bytes: Buffer): number {
    const length = Math.min(this.#bulkBytesLeft, bytes.length);
    const contentBytes = Math.max(0, this.#bulkBytesLeft - CRLF_BYTES);
    this.#keep(bytes.subarray(0, Math.min(length, contentBytes)));
    this.#bulkBytesLeft -= length;
    if (this.#bulkBytesLeft === 0) {
      if (this.#isRequest && this.#words.length < MAX_WORDS) this.#words.push(this.#kept);
      this.#kept = "";
      this.#valuesLeft -= 1;
    }
    return length;
  }

  #scanLine(bytes: Buffer): number {
    const newlineAt = bytes.indexOf(NEWLINE);
    const length = newlineAt === -1 ? bytes.length : newlineAt + 1;
    this.#isInLine = newlineAt === -1;
    this.#keep(bytes.subarray(0, length));
    if (!this.#isInLine) {
      const line = this.#kept.trimEnd();
      this.#kept = "";
      this.#endLine(line);
    }
    return length;
  }

  #keep(bytes: Buffer): void {
    const room = MAX_KEPT_BYTES - this.#kept.length;
    if (room > 0) this.#kept += bytes.toString("latin1", 0, room);
  }

  #endLine(line: string): void {
    if (this.#valuesLeft === 0) {
      this.#type = line.charAt(0);
      if (this.#isRequest && this.#type !== "*") {
        this.#words = line.split(/\s+/).filter(Boolean).slice(0, MAX_WORDS);
        return;
      }
      this.#valuesLeft = 1;
    }
    this.#readHeader(line);
  }

  #readHeader(line: string): void {
    const size = Number(line.slice(1));
    switch (line.charAt(0)) {
      case "$":
      case "=":
      case "!":
        this.#isLost = !Number.isInteger(size);
        if (size >= 0) this.#bulkBytesLeft = size + CRLF_BYTES;
        else this.#valuesLeft -= 1;
        return;
      case "*":
      case "~":
      case ">":
        this.#expect(size, 1, 1);
        return;
      case "%":
        this.#expect(size, 2, 1);
        return;
      case "|":
        // Attributes come before the value they belong to, and are none.
        this.#expect(size, 2, 0);
        return;
      default:
        this.#valuesLeft -= 1;
    }
  }

  /** The value that was read holds others; a size of -1 is RESP2's null. */
  #expect(size: number, valuesPerItem: number, own: number): void {
    this.#isLost = !Number.isInteger(size);
    this.#valuesLeft += Math.max(0, size) * valuesPerItem - own;
  }
}
