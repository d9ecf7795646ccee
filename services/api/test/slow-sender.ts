/** A client that sends the head of a request and as much of its body as it is told to, and takes whatever is answered. */

import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface SlowSender {
  readonly status: number | undefined;
  /** All that came back. */
  readonly text: string;
  readonly socket: Socket;
  send(bytes: Uint8Array | string): void;
}

export function slowSender(
  url: string,
  { method = "POST", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): SlowSender {
  const { hostname, port, pathname, search } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}\r\n${lines.join("")}\r\n`);
  const sender = { status: undefined as number | undefined, text: "", socket, send };
  socket.setEncoding("utf8");
  socket.on("data", (part) => {
    sender.text += String(part);
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(sender.text) ?? [];
    if (status !== undefined) sender.status = Number(status);
  });
  // Cut off is one way to be answered.
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return sender;

  function send(bytes: Uint8Array | string): void {
    socket.write(bytes);
  }
}
