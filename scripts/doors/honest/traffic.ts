/**
 * Owns the honest ones: workers that take every sound job and end it well, callers that order at a steady rate whatever
 * became of the orders before, backends that call LiveKit through Muster, and a listener of events. Nobody here tries
 * anything again by itself: what is refused is counted.
 */
import { waitUntil } from "../../../test/kit/wait-until.js";
import { HONEST_AGENT } from "../attack.js";
import type { House } from "../house.js";
import { Tokens } from "../tokens.js";
import { listRooms, orderAgent } from "./calls.js";
import { Line, type LineFigures } from "./line.js";
import { listen, openStream } from "./listener.js";
import { type HonestWorkers, startHonestWorkers } from "./workers.js";

export interface TrafficFigures {
  /** From when the order was due until its job was assigned. */
  readonly orders: LineFigures;
  /** Calls that Muster passes on to LiveKit. */
  readonly livekit: LineFigures;
  /** Streams of events that are opened. */
  readonly streams: LineFigures;
  /** Honest sockets that were cut: of workers, and of the one that listens all the while. */
  readonly cut: number;
}

const SETTLE_MS = 20_000;
/** Of one that has fallen: what comes of it is known. */
const SETTLE_FALLEN_MS = 2_000;

export class HonestTraffic {
  readonly #house: House;
  readonly #tokens = new Tokens();
  readonly #workers: HonestWorkers;
  readonly #rate: number;
  #orders = new Line();
  #livekit = new Line();
  #streams = new Line();
  #cutBefore = 0;
  #cuts = 0;
  #count = 0;
  #timers: NodeJS.Timeout[] = [];
  #endListening: (() => void) | undefined;

  private constructor(house: House, workers: HonestWorkers, rate: number) {
    this.#house = house;
    this.#workers = workers;
    this.#rate = rate;
    workers.onAssigned = (room) => this.#orders.served(room);
    workers.onEnded = (room) => this.#orders.done(room);
  }

  static async start(house: House, rate: number): Promise<HonestTraffic> {
    const tokens = new Tokens();
    const workers = await startHonestWorkers(house.gateway.url, () => tokens.worker());
    const traffic = new HonestTraffic(house, workers, rate);
    traffic.#endListening = await listen(house.api.url, tokens.operator(), () => traffic.#cuts++);
    return traffic;
  }

  get servedByWorkers(): readonly number[] {
    return this.#workers.served();
  }

  begin(): void {
    this.#orders = new Line();
    this.#livekit = new Line();
    this.#streams = new Line();
    this.#cutBefore = this.#cuts + this.#workers.lost();
    const { api } = this.#house;
    const every = (ms: number, run: () => void) => this.#timers.push(setInterval(run, ms));
    every(1_000 / this.#rate, () => {
      const room = `honest-${++this.#count}`;
      void this.#orders.try(room, () =>
        orderAgent(api.url, this.#tokens.roomAdmin(room), room, HONEST_AGENT),
      );
    });
    every(250, () => {
      const name = `call-${++this.#count}`;
      void this.#livekit.whole(name, () => listRooms(api.url, this.#tokens.with({ roomList: true })));
    });
    every(1_000, () => {
      const name = `stream-${++this.#count}`;
      void this.#streams.whole(name, () => openStream(api.url, this.#tokens.operator()));
    });
  }

  /** No more is begun; what was is waited for. */
  async end(): Promise<TrafficFigures> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    const lines = [this.#orders, this.#livekit, this.#streams];
    const deadlineMs = this.#house.fallen.size > 0 ? SETTLE_FALLEN_MS : SETTLE_MS;
    await waitUntil("nothing is open", () => lines.every((line) => line.open === 0), {
      deadlineMs,
      everyMs: 50,
    }).catch(() => undefined); // what is open then is lost, and counted
    return {
      orders: this.#orders.figures(),
      livekit: this.#livekit.figures(),
      streams: this.#streams.figures(),
      cut: this.#cuts + this.#workers.lost() - this.#cutBefore,
    };
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#endListening?.();
    await this.#workers.stop();
  }
}
