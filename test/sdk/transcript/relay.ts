/**
 * Owns the ear between a worker and Muster: a WebSocket relay that passes every frame on as it is and writes it down,
 * and that can cut the line. Never changes, holds back or invents a frame.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Duplex } from "node:stream";
import WebSocket, { WebSocketServer } from "ws";
import { freePort } from "../../kit/ports.js";
import type { Frame } from "./transcript.js";

export interface Relay {
  readonly url: string;
  /** What was said so far, by connection. */
  readonly connections: Frame[][];
  /** Cuts the connection, and refuses others until mend(). */
  cut(): void;
  mend(): void;
  stop(): Promise<void>;
}

/** `target` is Muster's url. */
export async function startRelay(target: string): Promise<Relay> {
  const connections: Frame[][] = [];
  const sockets = new Set<WebSocket>();
  let isCut = false;
  const workers = new WebSocketServer({ noServer: true });
  const server = createServer((_request, response) => void response.writeHead(404).end());
  server.on("upgrade", (request, socket: Duplex, head) => {
    if (isCut) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
      return;
    }
    const { authorization = "" } = request.headers;
    const toMuster = new WebSocket(`${target.replace(/^http/, "ws")}${request.url}`, {
      headers: { authorization },
    });
    toMuster.once("error", () => socket.destroy());
    toMuster.once("open", () =>
      workers.handleUpgrade(request, socket, head, (toWorker) => {
        const frames: Frame[] = [];
        connections.push(frames);
        const hear = listener(frames);
        relayFrames(toWorker, toMuster, (data, isBinary) => hear("to-server", data, isBinary));
        relayFrames(toMuster, toWorker, (data, isBinary) => hear("to-worker", data, isBinary));
        for (const end of [toWorker, toMuster]) sockets.add(end);
      }),
    );
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.terminate();
    sockets.clear();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    connections,
    cut,
    mend() {
      isCut = false;
    },
    async stop() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

type Hear = (data: Buffer, isBinary: boolean) => void;

function relayFrames(from: WebSocket, to: WebSocket, hear: Hear): void {
  from.on("message", (data: Buffer, isBinary) => {
    hear(data, isBinary);
    to.send(data, { binary: isBinary });
  });
  // Loss of either end is loss of the connection.
  from.on("close", () => to.terminate());
  from.on("error", () => to.terminate());
}

function listener(frames: Frame[]) {
  let lastAtMs = performance.now();
  return (direction: Frame["direction"], data: Buffer, isBinary: boolean): void => {
    const nowMs = performance.now();
    const delayMs = Math.round(nowMs - lastAtMs);
    lastAtMs = nowMs;
    frames.push({ direction, delayMs, kind: isBinary ? "binary" : "text", base64: data.toString("base64") });
  };
}
