/** Calls of LiveKit's own API, without any token, whose bodies never end: each would hold a connection to livekit-server. */
import type { Attack } from "../attack.js";
import { openRaw, pause, statusOf } from "../sockets.js";

export const heldProxy: Attack = {
  name: "held-proxy",
  about: "300 calls to livekit.RoomService without a token, whose bodies never end",
  leaves: "refused",
  run: async ({ api, signal, sized }) => {
    const count = sized(300, 260);
    const head =
      "POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n" +
      "Content-Length: 1000\r\n\r\n{";
    const connections = await Promise.all(
      Array.from({ length: count }, async () => {
        const connection = await openRaw(api);
        connection.socket.write(head);
        return connection;
      }),
    );
    await pause(600_000, signal);
    const refused = connections.filter(({ answer }) => statusOf(answer()) >= 400).length;
    for (const { socket } of connections) socket.destroy();
    return { figures: { calls: count, refused }, broken: [] };
  },
};
