/** End users upload megabytes each to routes that their tokens do not reach, and never send the last byte. */
import { type Attack, MARK, type Scene } from "../attack.js";
import { openRaw, pause, statusOf, writeAll } from "../sockets.js";

const MIB = 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 0x20);
/** Method, path and as many bytes as it takes at most, nearly. */
const ROUTES = [
  ["POST", "/twirp/livekit.AgentDispatchService/CreateDispatch", 9 * MIB],
  ["POST", "/twirp/livekit.AgentDispatchService/ListDispatch", 9 * MIB],
  ["POST", "/v1/orders", 3 * MIB],
  ["POST", "/twirp/livekit.AgentDispatchService/DeleteDispatch", 9 * MIB],
  ["PUT", `/v1/rules/${MARK}`, 3 * MIB],
] as const satisfies (readonly [method: string, path: string, bytes: number])[];
type Route = (typeof ROUTES)[number];

export const slowUploads: Attack = {
  name: "slow-uploads",
  about: "200 uploads of 3 to 9 MiB that never end, with tokens of end users (roomJoin)",
  leaves: "refused",
  leastSeconds: 5,
  run: async (scene) => {
    const statuses = await Promise.all(
      Array.from({ length: scene.sized(200, 90) }, (_, index) =>
        upload(scene, ROUTES[index % ROUTES.length] ?? ROUTES[0]),
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
async function upload(scene: Scene, [method, path, bytes]: Route): Promise<number> {
  const { api, signal, tokens } = scene;
  try {
    const connection = await openRaw(api);
    const { socket } = connection;
    signal.addEventListener("abort", () => socket.destroy());
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${tokens.endUser(`${MARK}-room`)}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`,
    );
    const isAnswered = () => statusOf(connection.answer()) >= 200;
    for (let sent = 0; sent + CHUNK.byteLength < bytes && !isAnswered() && !signal.aborted; ) {
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
