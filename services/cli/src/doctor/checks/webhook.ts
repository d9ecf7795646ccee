/**
 * Whether LiveKit's webhooks reach Muster: a room of our own is made in LiveKit, and must come into Muster's room book by
 * one. The book also learns of rooms by itself, every 15 s; the time of what it was told tells the two apart. The room is
 * deleted in every case, and by LiveKit itself should that fail.
 */

import { setTimeout as delay } from "node:timers/promises";
import { createLedger } from "@muster/ledger/ledger";
import { type Check, type Finding, fail, ok, Skip } from "../check.js";
import type { Probed } from "../http-probe.js";
import { livekitOf } from "../livekit-of.js";
import { answered, createRoom, DOCTORS_ROOMS, deleteRoom } from "../livekit-probe.js";
import { counterIn, type MusterSays, musterAt } from "../muster-probe.js";
import { redisOf, type Surroundings } from "../surroundings.js";

/** LiveKit tells at once; a busy one, and a busy api, within seconds. */
const WAIT_MS = 5_000;
const POLL_MS = 50;
const METRICS_MS = 2_000;
/** The second, when a round of Muster's own looked at the first before any webhook came; the next round is 13 s away. */
const TRIES = 2;

type Learnt = "webhook" | "round" | "never";

export const webhook: Check = {
  name: "webhook",
  looksAt: "A room that is made in LiveKit comes into Muster's room book by a webhook, within 5 s.",
  async run(surroundings, signal) {
    const { probe, key } = livekitOf(surroundings);
    await redisOf(surroundings).client();
    const before = await counters(surroundings);
    let learnt: Learnt = "never";
    const startedAt = performance.now();
    for (let count = 1; count <= TRIES && learnt !== "webhook"; count++) {
      const room = `${DOCTORS_ROOMS}${surroundings.mark}-${count}`;
      try {
        requireMade(await createRoom(probe, key, room));
        learnt = await watched(room, surroundings, signal);
      } finally {
        await deleteRoom(probe, key, room);
      }
      if (learnt === "never") break;
    }
    const tookMs = Math.round(performance.now() - startedAt);
    if (learnt === "webhook") return [ok(`LiveKit's webhooks reach Muster (${tookMs} ms)`)];
    return [notTold(surroundings, key.apiKey, before, await counters(surroundings))];
  },
};

/** @throws Skip */
function requireMade(answer: Probed): void {
  if (answered(answer) && answer.status === 200) return;
  const why = answered(answer) ? `answered ${answer.status}` : answer.problem;
  throw new Skip(`no room could be made in LiveKit (${why}); livekit-reach and livekit-keys say more`);
}

/** Until the book has the room, or nobody told it. A webhook's time has whole seconds; a round's has milliseconds. */
async function watched(room: string, surroundings: Surroundings, signal: AbortSignal): Promise<Learnt> {
  const ledger = createLedger(await redisOf(surroundings).client());
  const startedAt = performance.now();
  while (performance.now() - startedAt < WAIT_MS && !signal.aborted) {
    const book = await ledger.readRoom({ room, cursor: "0", limit: 1 });
    if (book.status === "found") return book.infoAt % 1000 === 0 ? "webhook" : "round";
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return "never";
}

async function counters({ settings, clock }: Surroundings): Promise<MusterSays | undefined> {
  if (settings.apiUrl === undefined) return undefined;
  return await musterAt(settings.apiUrl, { timeoutMs: METRICS_MS, now: () => clock.now() });
}

function notTold(
  { settings }: Surroundings,
  apiKey: string,
  before: MusterSays | undefined,
  after: MusterSays | undefined,
): Finding {
  const url = `${settings.apiUrl ?? "http://<api>:7883"}/webhook`;
  const lines = `in livekit.yaml, and restart it:\nwebhook:\n  api_key: ${apiKey}\n  urls: ["${url}"]`;
  const refused = (reason?: string) =>
    after === undefined || before === undefined
      ? 0
      : counterIn(after, "webhooks_refused_total", reason) -
        counterIn(before, "webhooks_refused_total", reason);
  if (refused("unauthenticated") > 0) {
    return fail(
      "LiveKit's webhooks reach the api, which refuses their signature",
      `webhook.api_key must be one of MUSTER_LIVEKIT_KEYS (or of MUSTER_KEYS, where that is unset), with the same secret; ${lines}`,
    );
  }
  if (refused() > 0) {
    return fail(
      "LiveKit's webhooks reach the api, which could not keep them",
      "see the api's log, and redis-reach",
    );
  }
  return fail(
    `a room was made in LiveKit, and no webhook told Muster within ${WAIT_MS / 1000} s: it notices calls late or never`,
    `${lines}${settings.apiUrl === undefined ? "\n--api-url says whether they are refused there" : ""}`,
  );
}
