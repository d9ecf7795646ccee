/**
 * Owns the callers of a siege: they come into rooms and are promised an agent, talk, and hang up; some do while they wait,
 * some come back, at once or when the room is over. Knows of each room who was in it and since when it is without them.
 */
import type { LivekitStandIn } from "../../kit/livekit-stand-in.js";
import type { Cluster } from "../harness.js";
import type { Random } from "../siege/random.js";
import { AGENT, TIMEOUTS } from "./plan.js";
import type { Stories } from "./stories.js";
import type { HandedWebhook } from "./webhook-balancer.js";

export interface CallersDeps {
  cluster: Cluster;
  livekit: LivekitStandIn;
  random: Random;
  stories: Stories;
}

export interface Call {
  readonly room: string;
  /** Of this life of the room, once it was answered. */
  order: string | undefined;
  /** By performance.now(); undefined while nobody is there. */
  presentSinceMs: number | undefined;
  /** Of whoever came last. */
  sid: string;
  /** LiveKit first told of their leaving then; undefined before. */
  goneToldAtMs: number | undefined;
}

const TALK_MS = [500, 3_000] as const;
const IMPATIENCE_MS = [50, 1_500] as const;
const BRIEFLY_MS = [100, 700] as const;
/** Who waits as long as this gives up, so that the siege ends. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 100;
const CALLER = "caller";

export class Callers {
  readonly calls = new Map<string, Call>();
  readonly counts = { calls: 0, served: 0, hungUpWaiting: 0, cameBack: 0, calledAgain: 0, gaveUp: 0 };
  readonly unanswered: string[] = [];
  readonly #deps: CallersDeps;
  readonly #underWay = new Set<Promise<void>>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(deps: CallersDeps) {
    this.#deps = deps;
  }

  start(perSecond: number): void {
    this.#ticker = setInterval(() => void this.call(), 1_000 / perSecond);
  }

  /** No new calls; resolves when all are over. */
  async settle(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.#underWay);
  }

  /** One call, to its end. Never rejects. */
  call(): Promise<void> {
    const room = `call-${this.counts.calls++}`;
    const done = this.#live(room)
      .catch((error: unknown) => void this.unanswered.push(`${room}: ${error}`))
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
    return done;
  }

  /** A webhook is handed to Muster. */
  told({ event, room, sid }: HandedWebhook): void {
    const call = this.calls.get(room);
    if (event === "participant_left" && call?.sid === sid) call.goneToldAtMs ??= performance.now();
  }

  agentsIn(room: string): string[] {
    const { rooms } = this.#deps.livekit;
    if (!rooms.hasLive(room)) return [];
    const there = rooms.participantRowsOf(room).map(({ identity }) => identity);
    return there.filter((identity) => identity !== CALLER && rooms.hasLive(room, identity));
  }

  async #live(room: string): Promise<void> {
    const { random } = this.#deps;
    const call: Call = {
      room,
      order: undefined,
      presentSinceMs: undefined,
      sid: "",
      goneToldAtMs: undefined,
    };
    this.calls.set(room, call);
    await this.#once(call);
    if (!random.chance(0.1)) return;
    // The same room again, when its first life is over: another order.
    await pause(TIMEOUTS.departureS * 1_000 + 2_000);
    this.counts.calledAgain += 1;
    await this.#once(call);
  }

  async #once(call: Call): Promise<void> {
    const { cluster, random } = this.#deps;
    // Who left the room's former life is not who is called for now: an agent may be there before its caller.
    call.order = undefined;
    call.sid = "";
    call.goneToldAtMs = undefined;
    const isOrderedFirst = random.chance(0.3);
    const order = async () => {
      call.order = await cluster.dispatches.create({ room: call.room, agent: AGENT });
      this.#deps.stories.tell(call.room, `ordered ${call.order}`);
    };
    if (isOrderedFirst) await order();
    this.#come(call);
    if (!isOrderedFirst) await order();
    const nature = random.next();
    if (nature < 0.2) {
      await pause(random.between(...IMPATIENCE_MS));
      this.counts.hungUpWaiting += this.agentsIn(call.room).length === 0 ? 1 : 0;
      return this.#go(call);
    }
    if (nature < 0.4) {
      await pause(random.between(...IMPATIENCE_MS));
      this.#go(call);
      await pause(random.between(...BRIEFLY_MS));
      this.#come(call);
      this.counts.cameBack += 1;
    }
    const untilMs = performance.now() + PATIENCE_MS;
    while (this.agentsIn(call.room).length === 0 && performance.now() < untilMs) await pause(LOOK_MS);
    if (this.agentsIn(call.room).length > 0) this.counts.served += 1;
    else this.counts.gaveUp += 1;
    await pause(random.between(...TALK_MS));
    this.#go(call);
  }

  #come(call: Call): void {
    call.sid = this.#deps.livekit.rooms.join(call.room, CALLER).sid;
    call.goneToldAtMs = undefined;
    call.presentSinceMs = performance.now();
    this.#deps.stories.tell(call.room, "the caller comes");
  }

  #go(call: Call): void {
    const { rooms } = this.#deps.livekit;
    if (rooms.hasLive(call.room, CALLER)) rooms.leave(call.room, CALLER);
    call.presentSinceMs = undefined;
    this.#deps.stories.tell(call.room, "the caller goes");
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
