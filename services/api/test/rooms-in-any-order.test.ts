/**
 * Whatever becomes of LiveKit's webhooks on their way, the same jobs come of them: exactly one that lives for each
 * participant who is there and matches, none that lives for anybody else, and orders in the same state.
 */

import { doubled, shuffled } from "@muster/test/kit/livekit-stand-in/event-orders";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WebhookEvent } from "@muster/wire/generated/livekit";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { liveFor, nameOf, whomOf } from "./orders-kit.js";
import { type House, type HouseOptions, openHouse } from "./rooms-kit.js";
import { PlayedRoom, type Somebody, type Story, stories } from "./rooms-story.js";

/** What ends with a life that had callers depends on what was heard while it lived; what waits on does not. */
const KEPT = { keep_waiting: true };
const ROUND_MS = 200;
const SECOND_LIFE = "of the next life";
let server: RedisServer;
let house: House;
let count = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterEach(() => house.stop());
afterAll(() => server.stop());

const isPerson = ({ kind }: Somebody) => kind !== "agent";
const TARGETS: Record<string, { target: object; isFor(somebody: Somebody): boolean }> = {
  participants: { target: { for: "participants" }, isFor: isPerson },
  publishers: { target: { for: "publishers" }, isFor: (one) => isPerson(one) && one.publishes },
  listed: {
    target: { for: "participants", identities: ["ben", "cleo"], kinds: ["sip", "agent"] },
    isFor: ({ identity }) => identity !== "ann",
  },
};

/** What becomes of the events of one part of a story on their way. */
type Way = (events: readonly WebhookEvent[], part: number, random: () => number) => WebhookEvent[];

interface Made {
  id: string;
  of: "first" | typeof SECOND_LIFE;
  kind: string;
}

/** One room with orders, in which a story is played and told in one way. */
class Telling {
  readonly room: PlayedRoom;
  readonly #way: Way;
  readonly #random: () => number;
  readonly #made: Made[] = [];
  readonly #all: WebhookEvent[] = [];
  readonly #untold: WebhookEvent[] = [];
  #late: WebhookEvent[] = [];
  #lives = 1;
  #sid = "";

  constructor(way: Way, random: () => number) {
    this.room = new PlayedRoom(house.livekit.rooms, `room-${++count}`);
    this.#way = way;
    this.#random = random;
  }

  /** An order is for the life of its room in which it was made, as far as anybody can know: it has to hear of that one. */
  async tell({ lives: [first = [], second], isOver }: Story): Promise<void> {
    await this.#order("first");
    this.#play(() => {
      this.#sid = this.room.start();
    });
    this.#play(() => this.room.step({ verb: "join", who: "ann" }));
    await this.#hear(this.#take(), 0);
    for (const step of first) this.#play(() => this.room.step(step));
    if (second === undefined) {
      if (isOver) this.#play(() => this.room.finish());
      return await this.#hear(this.#take(), 1);
    }
    // Some of what was told of the first life comes when the second has begun.
    const events = this.#take();
    const cut = Math.floor(this.#random() * (events.length + 1));
    await this.#hear(events.slice(0, cut), 1);
    this.#late = events.slice(cut);
    this.#lives = 2;
    this.#play(() => this.room.finish());
    this.#late.push(...this.#take());
    this.#play(() => {
      this.#sid = this.room.start();
    });
    await house.deliver(this.#take());
    await this.#order(SECOND_LIFE);
    for (const step of second) this.#play(() => this.room.step(step));
    if (isOver) this.#play(() => this.room.finish());
    await this.#hear([...this.#late, ...this.#take()], 2);
  }

  /** All of it once more, long after. */
  async tellAgain(): Promise<void> {
    await house.deliver(shuffled(this.#all, this.#random));
  }

  async holds(isOver: boolean): Promise<void> {
    for (const { id, of, kind } of this.#made) {
      const seen = await house.seen(this.room.name, id);
      const what = `${this.room.name}, ${kind}, ${of}`;
      const each = seen.jobs.map((job) => `${job.type} ${whomOf(job)}`);
      expect(new Set(each).size, `${what}: one job each`).toBe(each.length);
      if (kind === "room") {
        // Nobody served it: it waits for the next life, or is for the present one.
        const isBound = this.#lives === 2 || of === "first";
        expect({ what, state: seen.order.state, jobs: liveFor(seen) }).toEqual({
          what,
          state: "live",
          jobs: ["the room"],
        });
        if (isBound) expect(seen.order.roomSid, what).toBe(isOver ? "" : this.#sid);
        continue;
      }
      // Nobody served it either: whichever life goes on, it is for who is there.
      const whom = isOver ? [] : this.room.there.filter((one) => TARGETS[kind]?.isFor(one));
      expect({ what, state: seen.order.state, jobs: liveFor(seen) }).toEqual({
        ...{ what, state: "live", jobs: whom.map(nameOf).sort() },
      });
    }
  }

  /** Away from LiveKit's list, so that later rounds have less to look at. */
  close(): void {
    this.room.finish();
    house.untold();
  }

  async #order(of: Made["of"]): Promise<void> {
    const room = this.room.name;
    for (const [kind, { target }] of Object.entries(TARGETS)) {
      this.#made.push({ id: await house.order({ room, target, ...KEPT }), of, kind });
    }
    this.#made.push({ id: await house.order({ room, ...KEPT }), of, kind: "room" });
  }

  #play(happens: () => void): void {
    house.play(happens);
    const events = house.untold();
    this.#all.push(...events);
    this.#untold.push(...events);
  }

  #take(): WebhookEvent[] {
    return this.#untold.splice(0);
  }

  async #hear(events: readonly WebhookEvent[], part: number): Promise<void> {
    await house.deliver(this.#way(events, part, this.#random));
  }
}

const asItHappens: Way = (events) => [...events];
const inAnyOrder: Way = (events, part, random) => (part === 0 ? [...events] : shuffled(events, random));
const nothingLost: Way[] = [
  asItHappens,
  inAnyOrder,
  inAnyOrder,
  (events) => doubled(events),
  (events) => doubled(events, "at the end"),
  (events, part, random) => inAnyOrder(doubled(events), part, random),
];

/** One of them, by its place in the story; of the first two the other one is left, so that the room is heard of. */
const lacking = (missing: number, way: Way): Way => {
  let at = 0;
  return (events, part, random) => {
    const kept = events.filter(() => at++ !== missing);
    return way(kept, part, random);
  };
};

/** Small and seeded: the same story is told the same way again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function told(story: Story, ways: readonly Way[], seed: number, { waits }: { waits: boolean }) {
  const tellings = ways.map((way, at) => new Telling(way, seeded(seed + at)));
  // One after the other: they share LiveKit's clock and list of events.
  for (const telling of tellings) await telling.tell(story);
  const hold = async () => {
    for (const telling of tellings) await telling.holds(story.isOver);
    return true;
  };
  const settled = async () =>
    waits ? await waitUntil("all came to the same", hold, { everyMs: 50 }) : await hold();
  await settled();
  for (const telling of tellings) await telling.tellAgain();
  await settled();
  for (const telling of tellings) telling.close();
}

async function open(options: HouseOptions) {
  await server.flush();
  house = await openHouse(server, options);
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 });

test("shuffled and doubled, with nothing lost: the same at once, without asking LiveKit", async () => {
  await open({});
  await fc.assert(
    fc.asyncProperty(stories({ crashes: false }), seeds, (story, seed) =>
      told(story, nothingLost, seed, { waits: false }),
    ),
    { numRuns: 5 },
  );
}, 120_000);

test("over crashes of LiveKit's nodes, which tell nobody who is gone: the same, by what is known", async () => {
  await open({ roomsEveryMs: ROUND_MS });
  await fc.assert(
    fc.asyncProperty(stories({ crashes: true }), seeds, (story, seed) =>
      told(story, nothingLost.slice(0, 4), seed, { waits: true }),
    ),
    { numRuns: 4 },
  );
}, 120_000);

test("each one lost in turn: the same, once LiveKit was asked", async () => {
  await open({ asks: true, roomsEveryMs: ROUND_MS });
  await fc.assert(
    fc.asyncProperty(stories({ crashes: true }), seeds, async (story, seed) => {
      // As many as a story can have.
      const places = Array.from({ length: 12 }, (_, at) => at);
      const ways = places.map((at) => lacking(at, at % 2 === 0 ? asItHappens : inAnyOrder));
      await told(story, ways, seed, { waits: true });
    }),
    { numRuns: 4 },
  );
}, 120_000);
