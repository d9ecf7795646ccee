/** Broken frames of the agent protocol, binary and JSON, from sockets that have registered and from some that have not. */
import {
  encodeWorkerMessage,
  encodeWorkerMessageJson,
  type WorkerMessageDraft,
} from "@muster/wire/agent-codec";
import type { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import type { Random } from "../../../test/cluster/siege/random.js";
import { connectWorker, type WorkerClient } from "../../../test/kit/worker-client.js";
import { MARK, type Scene } from "../attack.js";
import { shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { mutateBytes, mutateJson } from "./mutate.js";

const SOUND: readonly WorkerMessageDraft[] = [
  { case: "register", value: { agentName: `${MARK}-fuzz`, version: "1.0.0", namespace: MARK } },
  { case: "availability", value: { jobId: `AJ_${MARK}`, available: true, participantIdentity: MARK } },
  { case: "updateWorker", value: { status: 0, load: 0.5, jobCount: 1 } },
  { case: "updateJob", value: { jobId: `AJ_${MARK}`, status: 3, error: MARK } },
  { case: "ping", value: { timestamp: 1n } },
  {
    case: "simulateJob",
    value: { room: { name: MARK, sid: "RM_x" } as Room, participant: { identity: MARK } as ParticipantInfo },
  },
  { case: "migrateJob", value: { jobIds: [`AJ_${MARK}`, `AJ_${MARK}.2`] } },
];
const AT_ONCE = 8;
const ANSWER_MS = 15_000;
/** A bug of the gateway's own. */
const INTERNAL = 1011;

export const protobufFrames: Fuzzer = {
  ...{ name: "frames-protobuf", about: "broken binary frames at /agent", leaves: "allowed", weight: 30 },
  open: async (scene, random) => new FrameSender(scene, random, false),
};

export const jsonFrames: Fuzzer = {
  ...{ name: "frames-json", about: "broken JSON frames at /agent", leaves: "allowed", weight: 15 },
  open: async (scene, random) => new FrameSender(scene, random, true),
};

class FrameSender implements Sender {
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #json: boolean;
  #client: WorkerClient | undefined;

  constructor(scene: Scene, random: Random, json: boolean) {
    this.#scene = scene;
    this.#random = random;
    this.#json = json;
  }

  /** Behind each frame a ping: a frame was read when its ping is answered, or when the socket is closed. */
  async send(): Promise<readonly Reaction[]> {
    const client = await this.#dialled();
    if (client === undefined) return [{ odd: "a worker was not let in" }];
    const pongsBefore = client.count("pong");
    const frames = Array.from({ length: AT_ONCE }, () => this.#frame());
    for (const frame of frames) {
      client.sendRaw(frame);
      client.send({ case: "ping", value: { timestamp: 1n } });
    }
    const closed = await untilAnswered(client, pongsBefore + AT_ONCE);
    const read = Math.min(AT_ONCE, client.count("pong") - pongsBefore);
    const reactions: Reaction[] = Array.from({ length: read }, () => "taken" as const);
    if (closed === undefined) return reactions;
    this.#client = undefined;
    const last = frames[read] ?? "";
    if (closed === "late") return [...reactions, { odd: `neither answer nor close after ${shown(last)}` }];
    return [
      ...reactions,
      closed === INTERNAL ? { odd: `closed with ${closed} after ${shown(last)}` } : "refused",
    ];
  }

  close(): void {
    this.#client?.cut();
  }

  #frame(): Uint8Array | string {
    const random = this.#random;
    const message = random.pick(SOUND);
    if (this.#json) return mutateJson(JSON.parse(encodeWorkerMessageJson(message)), random);
    return mutateBytes(encodeWorkerMessage(message), random);
  }

  async #dialled(): Promise<WorkerClient | undefined> {
    if (this.#client?.isOpen) return this.#client;
    const { gateway, tokens } = this.#scene;
    try {
      const client = await connectWorker({
        url: gateway,
        token: tokens.worker(),
        json: this.#json,
        handshakeMs: 10_000,
      });
      if (this.#random.chance(0.7)) await client.register({ agentName: `${MARK}-fuzz` }, ANSWER_MS);
      this.#client = client;
      return client;
    } catch {
      return undefined;
    }
  }
}

/** The code that it was closed with; undefined when all pings were answered. */
async function untilAnswered(client: WorkerClient, pongs: number): Promise<number | "late" | undefined> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve("late"), ANSWER_MS);
      // Several answers in one frame of the event loop are more than one call.
      client.onMessage(() => {
        if (client.count("pong") >= pongs) resolve(undefined);
      });
      client.onClose(({ code }) => resolve(code));
      if (!client.isOpen) resolve(1006);
    });
  } finally {
    clearTimeout(timer);
  }
}
