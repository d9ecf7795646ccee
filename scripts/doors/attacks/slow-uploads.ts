/** End users upload nine megabytes each to routes that their tokens do not reach, and never send the last byte. */
import { type Attack, MARK, type Scene } from "../attack.js";
import { openRaw, pause, statusOf, writeAll } from "../sockets.js";

const BODY_BYTES = 9 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 0x20);
const PATHS = [
  "/twirp/livekit.AgentDispatchService/CreateDispatch",
  "/v1/orders",
  "/v1/room-configurations/evil",
  "/v1/rooms",
];

export const slowUploads: Attack = {
  name: "slow-uploads",
  about: "150 uploads of 9 MiB that never end, with tokens of end users (roomJoin)",
  leaves: "refused",
  run: async (scene) => {
    const statuses = await Promise.all(
      Array.from({ length: scene.sized(150) }, (_, index) =>
        upload(scene, PATHS[index % PATHS.length] ?? ""),
      ),
    );
    const refused = statuses.filter((status) => status >= 400).length;
    const taken = statuses.filter((status) => status >= 200 && status < 300).length;
    return {
      figures: { uploads: statuses.length, refused, unanswered: statuses.length - refused - taken },
      broken: taken > 0 ? [`${taken} uploads of end users were taken`] : [],
    };
  },
};

/** Answers the status that it got; 0: none while it lasted. */
async function upload(scene: Scene, path: string): Promise<number> {
  const { api, signal, tokens } = scene;
  try {
    const connection = await openRaw(api);
    const { socket } = connection;
    signal.addEventListener("abort", () => socket.destroy());
    const method = path.endsWith(`/${MARK}`) ? "PUT" : "POST";
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${tokens.endUser(`${MARK}-room`)}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
    );
    const isAnswered = () => statusOf(connection.answer()) >= 200;
    for (let sent = 0; sent + CHUNK.byteLength < BODY_BYTES && !isAnswered() && !signal.aborted; ) {
      if (!(await writeAll(socket, CHUNK))) break;
      sent += CHUNK.byteLength;
    }
    while (!signal.aborted && !socket.destroyed && !isAnswered()) await pause(50, signal);
    socket.destroy();
    return statusOf(connection.answer());
  } catch {
    return 0;
  }
}
