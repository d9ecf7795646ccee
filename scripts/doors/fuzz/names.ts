/**
 * Odd names of rooms, agents, keys and definitions, with tokens that are enough for them: refused, or taken as they are. Of what
 * is taken nothing is found under another name.
 */
import type { Random } from "../../../test/cluster/siege/random.js";
import { MARK, type Scene } from "../attack.js";
import { Asks, reactionTo, shown } from "./asks.js";
import type { Fuzzer, Reaction, Sender } from "./fuzzer.js";
import { oddName } from "./mutate.js";

const DISPATCH = "/twirp/livekit.AgentDispatchService/";

interface Dispatch {
  readonly id: string;
  readonly room: string;
  readonly agent_name?: string;
  readonly agentName?: string;
}

export const oddNames: Fuzzer = {
  ...{
    name: "names",
    about: "odd names of rooms, agents, keys and definitions",
    leaves: "allowed",
    weight: 5,
  },
  open: async (scene, random) => new NameSender(scene, random),
};

class NameSender implements Sender {
  readonly #asks: Asks;
  readonly #scene: Scene;
  readonly #random: Random;

  constructor(scene: Scene, random: Random) {
    this.#asks = new Asks(scene.api);
    this.#scene = scene;
    this.#random = random;
  }

  async send(): Promise<readonly Reaction[]> {
    return [this.#random.chance(0.7) ? await this.#order() : await this.#define()];
  }

  close(): void {
    this.#asks.close();
  }

  async #order(): Promise<Reaction> {
    const room = oddName(this.#random);
    const agent = `${MARK}${oddName(this.#random)}`;
    const what = () => `the room ${shown(room)} with the agent ${shown(agent)}`;
    const call = async (method: string, body: object) =>
      await this.#asks.ask({
        ...{ method: "POST", path: `${DISPATCH}${method}`, body: JSON.stringify(body) },
        headers: {
          authorization: `Bearer ${this.#scene.tokens.roomAdmin(room)}`,
          "content-type": "application/json",
        },
      });
    const made = await call("CreateDispatch", { room, agent_name: agent });
    const reaction = reactionTo(made, what);
    if (reaction !== "taken") return reaction;
    const dispatch = JSON.parse(made.text) as Dispatch;
    if (dispatch.room !== room || (dispatch.agent_name ?? dispatch.agentName) !== agent)
      return { odd: `${what()} became ${shown(made.text)}` };
    const listed = await call("ListDispatch", { room });
    const { agentDispatches = [], agent_dispatches = agentDispatches } = JSON.parse(listed.text) as {
      agent_dispatches?: Dispatch[];
      agentDispatches?: Dispatch[];
    };
    await call("DeleteDispatch", { room, dispatch_id: dispatch.id });
    const isThere = agent_dispatches.some(({ id }) => id === dispatch.id);
    if (isThere && agent_dispatches.every((one) => one.room === room)) return "taken";
    return { odd: `${what()} is listed as ${shown(listed.text)}` };
  }

  async #define(): Promise<Reaction> {
    const id = oddName(this.#random);
    const path = `/v1/rules/${encodeURIComponent(id)}`;
    const headers = {
      authorization: `Bearer ${this.#scene.tokens.operator()}`,
      "content-type": "application/json",
    };
    const body = JSON.stringify({ when: { room_pattern: `${MARK}-never` }, orders: [{ agent_name: MARK }] });
    const answer = await this.#asks.ask({ method: "PUT", path, headers, body });
    if (answer.status < 300) await this.#asks.ask({ method: "DELETE", path, headers });
    return reactionTo(answer, () => `the rule ${shown(id)}`);
  }
}
