/**
 * Owns how many bytes wait in this process for peers that do not read, of all sockets together. Above the bound the peer that most
 * waits for is cut, and not the one that is written to. Sockets that were closed keep their bytes until their peer has read them
 * or its time is over: they count too, and those that have no room are cut instead.
 */

export interface UnsentDeps {
  mostBytes: number;
  /** How long a closed socket may keep its bytes. */
  lingerMs: number;
  nowMs: () => number;
}

/** One whose bytes wait. */
export interface Reader {
  /** Cuts it and frees its bytes; calls `left`. */
  cutUnread(): void;
}

export class Unsent {
  readonly #deps: UnsentDeps;
  readonly #waiting = new Map<Reader, number>();
  #bytes = 0;
  #lingering: { bytes: number; untilMs: number }[] = [];

  constructor(deps: UnsentDeps) {
    this.#deps = deps;
  }

  get bytes(): number {
    return this.#bytes + this.#lingeringBytes();
  }

  /** What now waits for it. */
  set(reader: Reader, bytes: number): void {
    const before = this.#waiting.get(reader) ?? 0;
    if (bytes === before) return;
    this.#bytes += bytes - before;
    if (bytes === 0) this.#waiting.delete(reader);
    else this.#waiting.set(reader, bytes);
    if (bytes <= before) return;
    while (this.bytes > this.#deps.mostBytes) {
      const greediest = this.#greediest();
      if (greediest === undefined) return;
      greediest.cutUnread();
    }
  }

  /** Its socket is closed with this much unsent. False: there is no room for that, and it is to be cut. */
  mayLinger(reader: Reader, bytes: number): boolean {
    this.left(reader);
    if (bytes === 0) return true;
    if (this.#lingeringBytes() + bytes > this.#deps.mostBytes / 2) return false;
    this.#lingering.push({ bytes, untilMs: this.#deps.nowMs() + this.#deps.lingerMs });
    return true;
  }

  /** Its socket is gone, with all that waited. */
  left(reader: Reader): void {
    this.#bytes -= this.#waiting.get(reader) ?? 0;
    this.#waiting.delete(reader);
  }

  #lingeringBytes(): number {
    if (this.#lingering.length === 0) return 0;
    const nowMs = this.#deps.nowMs();
    this.#lingering = this.#lingering.filter(({ untilMs }) => untilMs > nowMs);
    return this.#lingering.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #greediest(): Reader | undefined {
    let greediest: Reader | undefined;
    let most = 0;
    for (const [reader, bytes] of this.#waiting) {
      if (bytes <= most) continue;
      most = bytes;
      greediest = reader;
    }
    return greediest;
  }
}
