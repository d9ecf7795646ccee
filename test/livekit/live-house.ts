/**
 * Owns Muster beside a real livekit-server for the tests of a file, or of a describe: there before the first, gone after the
 * last. When a test fails, what Muster wrote last is printed.
 *
 *     const house = liveHouse();
 *     describeLive("what it is about", () => { it("…", async () => { await house.people.join("caller", "room"); … }) });
 */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { waitUntil } from "../kit/wait-until.js";
import { type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { SDK_DEADLINE_MS } from "../sdk/worker-process.js";
import { type LiveRooms, liveRooms } from "./live-rooms.js";
import { MusterDesk } from "./muster-desk.js";

export interface LiveHouse extends LiveRooms {
  readonly muster: LiveMuster;
  readonly desk: MusterDesk;
  /** The first job of an order as the ledger keeps it, once it has ended. */
  ended(order: string): Promise<Record<string, string>>;
}

export interface HouseSettings {
  /** MUSTER_* beside the urls of livekit-server. */
  env?: Record<string, string>;
  /** Whether livekit-server's webhooks reach Muster from the start. Default: true. */
  isTold?: boolean;
  /** Those of the file, where it has several houses one after the other. Default: rooms of its own. */
  rooms?: LiveRooms;
}

/** To be called where hooks are: what it answers is filled in before the first test. */
export function liveHouse({ env = {}, isTold = true, rooms = liveRooms() }: HouseSettings = {}): LiveHouse {
  const house = {} as { -readonly [Part in keyof LiveHouse]: LiveHouse[Part] };
  beforeAll(async () => {
    const { server, tap } = Object.assign(house, rooms);
    const muster = await startLiveMuster({
      ...{ MUSTER_LIVEKIT_URL: server.url, MUSTER_WORKER_LIVEKIT_URL: server.wsUrl },
      ...env,
    });
    house.muster = muster;
    house.desk = new MusterDesk(muster.url);
    tap.leadTo(isTold ? `${muster.url}/webhook` : undefined);
  }, SDK_DEADLINE_MS);
  beforeEach(({ onTestFailed }) => onTestFailed(() => house.muster.printOutput()));
  afterAll(() => house.muster?.stop());
  house.ended = async (order) => {
    const ended = async () => {
      const job = await house.muster.recordOf(order);
      return job.state === "ended" && job;
    };
    return await waitUntil("the job has ended", ended, { deadlineMs: SDK_DEADLINE_MS });
  };
  return house;
}
