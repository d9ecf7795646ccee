/** A TCP peer that sends what it is told, byte by byte, and shows what came back. */
import { connect, type Socket } from "node:net";

export class RawCall {
  readonly tcp: Socket;
  #text = "";
  closed = false;

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on("data", (bytes) => {
      this.#text += bytes.toString("latin1");
    });
    tcp.on("error", () => {});
    tcp.on("close", () => {
      this.closed = true;
    });
  }

  /** `text` is sent as Latin-1: each character is a byte. */
  static async send(port: number, text: string): Promise<RawCall> {
    const tcp = connect({ host: "127.0.0.1", port });
    const call = new RawCall(tcp);
    await new Promise((resolve, reject) => tcp.once("connect", resolve).once("error", reject));
    if (text !== "") tcp.write(Buffer.from(text, "latin1"));
    return call;
  }

  /** Of each answer, an interim one left out. */
  get statuses(): number[] {
    return [...this.#text.matchAll(/HTTP\/1\.1 ([2-5]\d\d|101) /g)].map(([, status]) => Number(status));
  }

  get text(): string {
    return this.#text;
  }
}
