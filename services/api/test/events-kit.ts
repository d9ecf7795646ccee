/**
 * Owns what the tests of events share: a receiver of webhooks that answers as it is told, events that happen as the
 * ledger's scripts write them, and processes that deliver them.
 */

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JobEventName } from "@muster/domain/job-event";
import { createLedger } from "@muster/ledger/ledger";
import { systemClock } from "@muster/runtime/clock";
import { EventMover } from "@muster/runtime/events/event-mover";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { type WebhookEvent, WebhookReceiver } from "livekit-server-sdk";
import { onTestFinished } from "vitest";
import type { EventMetrics } from "../src/events/event-metrics.js";
import { type Events, type EventsTuning, startEvents } from "../src/events/start-events.js";
import { API_KEY, API_SECRET, silent } from "./kit.js";

/** All waits short, and every back-off its longest. */
export const TUNING = {
  lanes: { concurrency: 8, mostTries: 3, firstRetryMs: 60, longestRetryMs: 120, mostDead: 100 },
  laneTiming: { lockMs: 500, sweepMs: 200, pollMs: 100 },
  pump: { lookEveryMs: 20, turnMs: 600 },
  live: {
    ...{ lookEveryMs: 20, heartbeatMs: 100, bufferBytes: 64 * 1024, stallMs: 400 },
    ...{ eventStreams: 5, eventStreamsPerToken: 5, eventStreamsPerKey: 5 },
  },
  postTimeoutMs: 400,
} satisfies EventsTuning;

export const freshProject = (): string => `p-${randomUUID().slice(0, 8)}`;

export function eventCounts() {
  const counts = { delivered: 0, failed: 0, died: 0, missed: 0, listeners: 0, dropped: 0, displaced: 0 };
  const metrics: EventMetrics = {
    delivered: () => void counts.delivered++,
    deliveryFailed: () => void counts.failed++,
    deliveryDied: () => void counts.died++,
    eventsMissed: () => void counts.missed++,
    listeners: (count) => {
      counts.listeners = count;
    },
    listenerDropped: (reason) => void counts[reason === "too_slow" ? "dropped" : "displaced"]++,
  };
  return { counts, metrics };
}

interface EventsOptions {
  redis: RedisClient;
  project: string;
  urls?: string[];
  tuning?: EventsTuning;
  log?: Log;
}

/** One process that delivers events; ended with the test. */
export function runEvents({ redis, project, urls = [], tuning = {}, log = silent }: EventsOptions) {
  const { counts, metrics } = eventCounts();
  const events = startEvents({
    ...{ redis, project, urls, metrics, log, clock: systemClock, random: () => 1 },
    ledger: createLedger(redis),
    signing: { apiKey: API_KEY, apiSecret: API_SECRET },
    who: randomUUID(),
    tuning: { ...TUNING, ...tuning },
  });
  onTestFinished(() => events.stop());
  return { events, counts };
}

/** Resolves when its hooks began: what happens from now on is delivered. */
export async function untilHooksBegan(redis: RedisClient, { hooks }: Pick<Events, "hooks">): Promise<void> {
  await waitUntil("each hook has its cursor", async () => {
    const cursors = await Promise.all(
      hooks.map(({ id }) => redis.hget(`muster:{hook/${id}}:state`, "cursor")),
    );
    return cursors.every((cursor) => cursor !== null);
  });
}

export interface Happening {
  event: JobEventName;
  job: string;
  room?: string;
  error?: string;
  position?: number;
}

/** Writes events as the scripts do, and moves them as the namespace's host does. */
export function happener(redis: RedisClient, namespace: string) {
  const mover = new EventMover({ redis, log: silent });
  return async (...happenings: Happening[]): Promise<void> => {
    const outbox = `muster:{${namespace}}:events`;
    for (const { event, job, room = "r", error = "", position = 0 } of happenings) {
      const isEnded = event === "agent_job_ended";
      const fields = {
        ...{
          event,
          job,
          room,
          error,
          position,
          at: Date.now(),
          order: "",
          type: "room",
          pool: "room/greeter/",
        },
        ...{ state: isEnded ? "ended" : "queued", outcome: isEnded ? "success" : "", wire: job, epoch: 1 },
      };
      await redis.xadd(
        outbox,
        "*",
        ...Object.entries(fields).flatMap(([name, value]) => [name, String(value)]),
      );
    }
    await mover.move(namespace);
  };
}

/** The life of a job in four events. */
export const LIFE = [
  "agent_job_queued",
  "agent_job_offered",
  "agent_job_started",
  "agent_job_ended",
] as const;
export const lifeOf = (job: string): Happening[] => LIFE.map((event) => ({ event, job }));

export type Answer = number | "hang" | ((res: ServerResponse) => void);

export interface Receiver {
  url: string;
  /** Requests in the order in which they came, each with a good signature. */
  received: WebhookEvent[];
  /** `AJ_1 queued` in that order, without the prefix of names. */
  names(job?: string): string[];
  headers: IncomingMessage["headers"][];
  /** How the next ones are answered; 200 is what it begins with. */
  answer: (event: WebhookEvent, tries: number) => Answer;
}

export async function startReceiver(): Promise<Receiver> {
  const verifier = new WebhookReceiver(API_KEY, API_SECRET);
  const tries = new Map<string, number>();
  const server = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req.setEncoding("utf8")) body += chunk;
    const event = await verifier.receive(body, req.headers.authorization);
    receiver.received.push(event);
    receiver.headers.push(req.headers);
    const count = (tries.get(event.id) ?? 0) + 1;
    tries.set(event.id, count);
    const answer = receiver.answer(event, count);
    if (answer === "hang") return;
    if (typeof answer === "function") answer(res);
    else res.writeHead(answer).end("ok");
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=s3cret`,
    received: [],
    headers: [],
    answer: () => 200,
    names: (job) =>
      receiver.received
        .filter((event) => job === undefined || event.job?.id === job)
        .map((event) => String(event.event).replace("agent_job_", "")),
  };
  return receiver;
}
