/** Broken requests as bytes, at both doors: a refusal or a closed connection, and the process goes on. */
import type { Random } from "../../../test/cluster/siege/random.js";
import type { Scene } from "../attack.js";
import { openRaw, statusOf } from "../sockets.js";
import { reactionTo, shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { mutateBytes } from "./mutate.js";

const BODY = '{"room":"evil"}';
const SOUND = [
  "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  `POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  `POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n${BODY}\r\n0\r\n\r\n`,
  "GET /agent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET http://x/v1/jobs?limit=1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
].map((text) => Buffer.from(text));
/** A request that is not whole is ended by its sender; whoever waits on has it open. */
const PATIENCE_MS = 250;

export const brokenHeads: Fuzzer = {
  ...{ name: "heads", about: "broken requests as bytes, at both doors", leaves: "refused", weight: 6 },
  open: async (scene, random) => new HeadSender(scene, random),
};

class HeadSender implements Sender {
  readonly #scene: Scene;
  readonly #random: Random;

  constructor(scene: Scene, random: Random) {
    this.#scene = scene;
    this.#random = random;
  }

  async send(): Promise<readonly Reaction[]> {
    const { api, gateway } = this.#scene;
    const bytes = mutateBytes(this.#random.pick(SOUND), this.#random);
    const url = this.#random.chance(0.5) ? api : gateway;
    const answer = await answerTo(url, bytes).catch(() => undefined);
    if (answer === undefined) return [{ odd: "a connection was refused" }];
    const answered = {
      status: statusOf(answer),
      text: answer,
      mayComeBack: /\r\nretry-after:/i.test(answer),
    };
    // What says that a switch or a body may follow is an answer to something sound.
    if (answered.status === 100 || answered.status === 101) return ["taken"];
    return [reactionTo(answered, () => shown(bytes))];
  }

  close(): void {}
}

async function answerTo(url: string, bytes: Buffer): Promise<string> {
  const { socket, answer, closed } = await openRaw(url);
  socket.write(bytes);
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
    socket.on("data", () => resolve());
  });
  await Promise.race([closed, enough]);
  clearTimeout(timer);
  socket.destroy();
  return answer();
}
