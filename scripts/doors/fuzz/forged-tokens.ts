/** Tokens that are none: forged, expired, of another shape. None may open any door. */
import { signJwt } from "@muster/wire/jwt";
import type { Random } from "../../../test/cluster/siege/random.js";
import type { Scene } from "../attack.js";
import { KEY, SECRET } from "../tokens.js";
import { type Ask, Asks, mustBeRefused, shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { mutateBytes } from "./mutate.js";

const VIDEO = { roomAdmin: true, roomList: true, roomCreate: true, agent: true, room: "" };
const ALGORITHMS = ["none", "None", "HS512", "RS256", "hs256", "", null, 0];
const HOUR_S = 3_600;
const DOORS: readonly Ask[] = [
  { method: "GET", path: "/v1/jobs" },
  { method: "POST", path: "/v1/orders", body: "{}" },
  { method: "POST", path: "/twirp/livekit.AgentDispatchService/ListDispatch", body: "{}" },
  { method: "POST", path: "/webhook", body: "{}" },
];

export const forgedTokens: Fuzzer = {
  ...{
    name: "tokens",
    about: "forged, expired and malformed tokens at every door",
    leaves: "refused",
    weight: 15,
  },
  open: async (scene, random) => new TokenSender(scene, random),
};

class TokenSender implements Sender {
  readonly #api: Asks;
  readonly #gateway: Asks;
  readonly #random: Random;

  constructor({ api, gateway }: Scene, random: Random) {
    this.#api = new Asks(api);
    this.#gateway = new Asks(gateway);
    this.#random = random;
  }

  async send(): Promise<readonly Reaction[]> {
    const random = this.#random;
    const token = forged(random);
    const what = (path: string) => () => `the token ${shown(token)} at ${path}`;
    if (random.chance(0.3)) {
      // A token of any characters can be in the query.
      const path = `/agent?access_token=${encodeURIComponent(token)}`;
      return [mustBeRefused(await this.#gateway.ask({ method: "GET", path, headers: UPGRADE }), what(path))];
    }
    const door = random.pick(DOORS);
    const authorization = headerText(`Bearer ${token}`);
    const headers = { authorization, "content-type": "application/json" };
    return [mustBeRefused(await this.#api.ask({ ...door, headers }), what(door.path))];
  }

  close(): void {
    this.#api.close();
    this.#gateway.close();
  }
}

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Of a header Node sends nothing else. */
function headerText(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
}

function forged(random: Random): string {
  const nowS = Math.floor(Date.now() / 1_000);
  const claims = { iss: KEY, exp: nowS + HOUR_S, nbf: nowS, video: VIDEO };
  const sound = signJwt(claims, SECRET);
  switch (random.between(0, 6)) {
    case 0:
      return signJwt(claims, `${SECRET}${random.between(0, 9)}`);
    case 1:
      return signJwt({ ...claims, exp: nowS - HOUR_S * random.between(1, 1_000) }, SECRET);
    case 2:
      return signJwt({ ...claims, nbf: nowS + HOUR_S * random.between(1, 1_000) }, SECRET);
    case 3:
      return signJwt({ ...claims, ...random.pick(WRONG_CLAIMS) }, SECRET);
    case 4: {
      const [, body = "", signature = ""] = sound.split(".");
      const header = Buffer.from(JSON.stringify({ alg: random.pick(ALGORITHMS), typ: "JWT" })).toString(
        "base64url",
      );
      return `${header}.${body}.${random.chance(0.5) ? signature : ""}`;
    }
    default: {
      // What stands behind the last point only signs: other letters may mean the same bytes.
      const [header = "", body = "", signature = ""] = sound.split(".");
      const text = mutateBytes(Buffer.from(`${header}.${body}`), random).toString("latin1");
      return `${text === `${header}.${body}` ? `${text}x` : text}.${signature}`;
    }
  }
}

const WRONG_CLAIMS: readonly object[] = [
  ...[
    { iss: "nobody" },
    { iss: "" },
    { iss: null },
    { iss: {} },
    { iss: "__proto__" },
    { iss: "constructor" },
  ],
  ...[{ exp: undefined }, { exp: "soon" }, { exp: -1 }, { exp: null }, { exp: 0 }, { nbf: "now" }],
  ...[
    { video: "all" },
    { video: [] },
    { video: { roomAdmin: "true", agent: 1 } },
    { video: { roomList: 1 } },
  ],
];
