/**
 * Whether LiveKit's webhooks reach Muster: a room of our own is made in LiveKit, and must come into Muster's room book by
 * one. The book also learns of rooms by itself, every 15 s; the time of what it was told tells the two apart. The room is
 * deleted in every case, and by LiveKit itself should that fail.
 */

import { setTimeout as delay } from "node:timers/promises";
import { createLedger } from "@muster/ledger/ledger";
import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip } from "../finding.js";
import type { Probed } from "../http-probe.js";
import { livekitOf } from "../livekit-of.js";
import { answered, createRoom, DOCTORS_ROOMS, deleteRoom } from "../livekit-probe.js";
import { counterIn, musterAt } from "../muster-probe.js";
import { redisOf, type Surroundings } from "../surroundings.js";

/** LiveKit tells at once; a busy one, and a busy api, within seconds. */
const WAIT_MS = 5_000;
const POLL_MS = 50;
const POLLS_PER_METRICS = 10;
const METRICS_MS = 2_000;
/** The second, when a round of Muster's own looked at the first before any webhook came; the next round is 13 s away. */
const TRIES = 2;

/** `refused`: webhooks come, and the api does not believe them; `lost`: it does, and cannot keep them. */
type Learnt = "webhook" | "round" | "refused" | "lost" | "never";

export const webhook: Check = {
  name: "webhook",
  looksAt: "A room that is made in LiveKit comes into Muster's room book by a webhook, within 5 s.",
  async run(surroundings, signal) {
    const { probe, key } = livekitOf(surroundings);
    await redisOf(surroundings).client();
    const startedAt = performance.now();
    let learnt: Learnt = "round";
    let unread: string | undefined;
    for (let count = 1; count <= TRIES && learnt === "round" && !signal.aborted; count++) {
      const room = `${DOCTORS_ROOMS}${surroundings.mark}-${count}`;
      const before = await refusals(surroundings);
      unread = before.unread;
      try {
        requireMade(await createRoom(probe, key, room));
        learnt = await watched(room, before, surroundings, signal);
      } finally {
        await deleteRoom(probe, key, room);
      }
    }
    const tookMs = Math.round(performance.now() - startedAt);
    if (learnt === "webhook") return [ok(`LiveKit's webhooks reach Muster (${tookMs} ms)`)];
    return [notTold(learnt, surroundings, { apiKey: key.apiKey, unread })];
  },
};

/** @throws Skip */
function requireMade(answer: Probed): void {
  if (answered(answer) && answer.status === 200) return;
  const why = answered(answer) ? `answered ${answer.status}` : answer.problem;
  throw new Skip(`no room could be made in LiveKit (${why}); livekit-reach and livekit-keys say more`);
}

/** Until the book has the room, or nobody told it. A webhook's time has whole seconds; a round's has milliseconds. */
async function watched(
  room: string,
  before: Refusals,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Learnt> {
  const ledger = createLedger(await redisOf(surroundings).client());
  const startedAt = performance.now();
  for (let polls = 1; performance.now() - startedAt < WAIT_MS && !signal.aborted; polls++) {
    const book = await ledger.readRoom({ room, cursor: "0", limit: 1 });
    if (book.status === "found") return book.infoAt % 1000 === 0 ? "webhook" : "round";
    if (polls % POLLS_PER_METRICS === 0) {
      const now = await refusals(surroundings);
      if (now.unbelieved > before.unbelieved) return "refused";
      if (now.all > before.all) return "lost";
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return "never";
}

interface Refusals {
  unbelieved: number;
  all: number;
  /** Why they are not known. */
  unread?: string;
}

/** As the api counts them; of no api that is known, none. */
async function refusals({ settings, clock }: Surroundings): Promise<Refusals> {
  const { apiUrl } = settings;
  const options = { timeoutMs: METRICS_MS, now: () => clock.now() };
  const muster = apiUrl === undefined ? undefined : await musterAt(apiUrl, options, settings);
  if (muster === undefined) return { unbelieved: 0, all: 0 };
  const counted = (reason?: string) => counterIn(muster, "webhooks_refused_total", reason);
  const why = muster.unread?.why;
  return {
    unbelieved: counted("unauthenticated"),
    all: counted(),
    ...(why !== undefined && { unread: why }),
  };
}

function notTold(
  learnt: Learnt,
  { settings }: Surroundings,
  { apiKey, unread }: { apiKey: string; unread: string | undefined },
): Finding {
  const url = `${settings.apiUrl ?? "http://<api>:7883"}/webhook`;
  const lines = `in livekit.yaml, and restart it:\nwebhook:\n  api_key: ${apiKey}\n  urls: ["${url}"]`;
  // Counted by the api, where its metrics are read.
  const isNamed = settings.apiUrl !== undefined;
  const counts = !isNamed
    ? "\n--api-url says whether they are refused there"
    : unread === undefined
      ? ""
      : `\nwhether the api refuses them is not known, its metrics are not read: ${unread}`;
  switch (learnt) {
    case "refused":
      return fail(
        "LiveKit's webhooks reach the api, which refuses their signature",
        `webhook.api_key must be one of MUSTER_LIVEKIT_KEYS (or of MUSTER_KEYS, where that is unset), with the same secret; ${lines}`,
      );
    case "lost":
      return fail(
        "LiveKit's webhooks reach the api, which could not keep them",
        "see the api's log, and redis-reach",
      );
    default:
      return fail(
        `a room was made in LiveKit, and no webhook told Muster within ${WAIT_MS / 1000} s: it notices calls late or never`,
        `${lines}${counts}`,
      );
  }
}
