/** Broken webhooks: signed for their very bytes, which may be taken; and with the signature of others, which must not. */
import { createHash } from "node:crypto";
import { signAccessToken } from "@muster/wire/access-token";
import type { Random } from "../../../test/cluster/siege/random.js";
import { MARK, type Scene } from "../attack.js";
import { KEY, SECRET } from "../tokens.js";
import { Asks, mustBeRefused, reactionTo, shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { mutateJson } from "./mutate.js";

const NAMES = [
  ...["room_started", "room_finished", "participant_joined", "participant_left"],
  ...["participant_connection_aborted", "track_published", "track_unpublished", "egress_started"],
];

export const brokenWebhooks: Fuzzer = {
  ...{ name: "webhooks", about: "broken and wrongly signed webhooks", leaves: "allowed", weight: 6 },
  open: async (scene, random) => new WebhookSender(scene, random),
};

class WebhookSender implements Sender {
  readonly #asks: Asks;
  readonly #random: Random;

  constructor({ api }: Scene, random: Random) {
    this.#asks = new Asks(api);
    this.#random = random;
  }

  async send(): Promise<readonly Reaction[]> {
    const random = this.#random;
    const body = mutateJson(soundEvent(random), random);
    const isSigned = random.chance(0.7);
    const sha256 = createHash("sha256")
      .update(isSigned ? body : `${body} `)
      .digest("base64");
    const authorization = signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), sha256 });
    const headers = { authorization, "content-type": "application/webhook+json" };
    const answer = await this.#asks.ask({ method: "POST", path: "/webhook", headers, body });
    const what = () => `the webhook ${shown(body)}`;
    return [isSigned ? reactionTo(answer, what) : mustBeRefused(answer, what)];
  }

  close(): void {
    this.#asks.close();
  }
}

/** Of a few rooms, so that what is taken stays little. */
function soundEvent(random: Random): object {
  const room = random.between(0, 9);
  const participant = {
    sid: `PA_${MARK}`,
    identity: MARK,
    state: "ACTIVE",
    joinedAt: "1700000000",
    name: "",
  };
  return {
    event: random.pick(NAMES),
    id: `EV_${MARK}`,
    createdAt: String(Math.floor(Date.now() / 1_000)),
    room: { sid: `RM_${MARK}${room}`, name: `${MARK}-${room}`, creationTime: "1700000000", metadata: "{}" },
    participant,
    track: { sid: `TR_${MARK}`, type: "AUDIO", source: "MICROPHONE" },
  };
}
