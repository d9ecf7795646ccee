/** Connections that begin a request and never end its head, against both doors. */
import type { Attack } from "../attack.js";
import { openRaw, pause } from "../sockets.js";

export const silentHeads: Attack = {
  name: "silent-heads",
  about: "500 connections to each door whose requests' heads come a byte a second",
  leaves: "refused",
  run: async ({ api, gateway, signal, sized }) => {
    const count = sized(500, 50);
    const urls = [api, gateway].flatMap((url) => Array.from({ length: count }, () => url));
    const connections = await Promise.all(urls.map(openRaw));
    for (const { socket } of connections) socket.write("GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    while (!signal.aborted) {
      await pause(1_000, signal);
      for (const { socket } of connections) if (!socket.destroyed) socket.write("x");
    }
    const closed = connections.filter(({ socket }) => socket.destroyed).length;
    for (const { socket } of connections) socket.destroy();
    return { figures: { connections: connections.length, closed }, broken: [] };
  },
};
