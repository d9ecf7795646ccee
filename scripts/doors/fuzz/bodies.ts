/** Broken bodies for REST and Twirp: half of them with tokens that are enough, half with those of end users. */
import { encodeCreateDispatch, encodeDeleteDispatch, encodeListDispatch } from "@muster/wire/dispatch-codec";
import type { Random } from "../../../test/cluster/siege/random.js";
import { MARK, type Scene } from "../attack.js";
import { type Answered, Asks, mustBeRefused, reactionTo, shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { mutateBytes, mutateJson } from "./mutate.js";

const ROOM = `${MARK}-room`;
const TEMPLATE = { agent_name: `${MARK}-agent`, metadata: "{}", attributes: { a: "b" } };
const SPLIT = {
  candidate: "v2",
  steps: [{ after_ms: 0, percent: 10 }],
  rollback: { max_bad_percent: 10, min_jobs: 5 },
};
const REST: readonly (readonly [method: string, path: string, body: object])[] = [
  ["POST", "/v1/orders", { room: ROOM, ...TEMPLATE, priority: 1, max_attempts: 2, target: { kind: "room" } }],
  ["POST", "/v1/orders", { room: ROOM, ...TEMPLATE, fallback: [{ after_ms: 1_000, agent_name: MARK }] }],
  [
    "PUT",
    `/v1/rules/${MARK}`,
    { when: { room_pattern: `${MARK}-*`, metadata: { a: "b" } }, orders: [TEMPLATE] },
  ],
  ["PUT", `/v1/room-configurations/${MARK}`, { agents: [TEMPLATE], metadata: "{}" }],
  ["POST", "/v1/rules/dry-run", { room: ROOM, metadata: "{}" }],
  ["PUT", `/v1/placement-policies?agent_name=${MARK}`, { strategy: "pack", max_jobs: 3 }],
  ["PUT", `/v1/deployment-splits?agent_name=${MARK}`, SPLIT],
];
const DISPATCH = "/twirp/livekit.AgentDispatchService/";

interface Body {
  readonly method: string;
  readonly path: string;
  readonly type: string;
  readonly bytes: Uint8Array | string;
}

export const restBodies: Fuzzer = {
  ...{ name: "bodies-rest", about: "broken JSON at /v1/*", leaves: "allowed", weight: 12 },
  open: async (scene, random) =>
    new BodySender(scene, random, scene.tokens.operator(), () => {
      const [method, path, body] = random.pick(REST);
      return { method, path, type: "application/json", bytes: mutateJson(body, random) };
    }),
};

export const twirpJsonBodies: Fuzzer = {
  ...{ name: "bodies-twirp-json", about: "broken JSON at /twirp", leaves: "allowed", weight: 8 },
  open: async (scene, random) =>
    new BodySender(scene, random, scene.tokens.roomAdmin(ROOM), () => {
      const [name, body] = random.pick(TWIRP);
      const sound = JSON.parse(Buffer.from(body("json")).toString()) as object;
      return twirp(name, "application/json", mutateJson(sound, random));
    }),
};

export const twirpProtobufBodies: Fuzzer = {
  ...{ name: "bodies-twirp-proto", about: "broken protobuf at /twirp", leaves: "allowed", weight: 8 },
  open: async (scene, random) =>
    new BodySender(scene, random, scene.tokens.roomAdmin(ROOM), () => {
      const [name, body] = random.pick(TWIRP);
      return twirp(name, "application/protobuf", mutateBytes(body("protobuf"), random));
    }),
};

type Encoding = "json" | "protobuf";
const TWIRP: readonly (readonly [name: string, body: (encoding: Encoding) => Uint8Array])[] = [
  [
    "CreateDispatch",
    (encoding) => encodeCreateDispatch(encoding, { room: ROOM, agentName: `${MARK}-agent`, metadata: "{}" }),
  ],
  ["ListDispatch", (encoding) => encodeListDispatch(encoding, { room: ROOM, dispatchId: "AD_x" })],
  ["DeleteDispatch", (encoding) => encodeDeleteDispatch(encoding, { room: ROOM, dispatchId: "AD_x" })],
];

function twirp(name: string, type: string, bytes: Uint8Array | string): Body {
  return { method: "POST", path: `${DISPATCH}${name}`, type, bytes };
}

class BodySender implements Sender {
  readonly #asks: Asks;
  readonly #random: Random;
  readonly #make: () => Body;
  readonly #enough: string;
  readonly #little: string;

  constructor({ api, tokens }: Scene, random: Random, enough: string, make: () => Body) {
    this.#asks = new Asks(api);
    this.#random = random;
    this.#make = make;
    this.#enough = enough;
    this.#little = tokens.endUser(ROOM);
  }

  async send(): Promise<readonly Reaction[]> {
    const { method, path, type, bytes } = this.#make();
    const isEnough = this.#random.chance(0.5);
    const token = isEnough ? this.#enough : this.#little;
    const headers = { authorization: `Bearer ${token}`, "content-type": type };
    const answer = await this.#asks.ask({ method, path, headers, body: bytes });
    const what = () => `${method} ${path} with ${shown(bytes)}`;
    if (!isEnough) return [mustBeRefused(answer, what)];
    await this.#takeBack(answer);
    return [reactionTo(answer, what)];
  }

  close(): void {
    this.#asks.close();
  }

  /** What was made goes again, or the house would fill up with it. */
  async #takeBack({ status, text }: Answered): Promise<void> {
    if (status < 200 || status > 201) return;
    const id = /"(?:id|order_id)":"(AD_\w+)"/.exec(text)?.[1];
    if (id === undefined) return;
    const headers = { authorization: `Bearer ${this.#enough}` };
    await this.#asks.ask({ method: "DELETE", path: `/v1/orders/${id}`, headers });
  }
}
