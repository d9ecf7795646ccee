/**
 * Whether clocks agree: this machine's with Redis's, which rules every deadline, and with those of the services and of
 * LiveKit, which check the times in tokens.
 */

import { apiUrlOf } from "@muster/livekit/api-url";
import type { Check } from "../check.js";
import { type Finding, fail, ok, warn } from "../finding.js";
import { type Answer, probe } from "../http-probe.js";
import type { Surroundings } from "../surroundings.js";

const WARN_MS = 1_000;
const FAIL_MS = 5_000;
const TIMEOUT_MS = 2_000;
/** A Date header has whole seconds. */
const SECOND_MS = 1_000;

interface Skew {
  whose: string;
  /** By how much it is ahead of this machine; 0 when it cannot be told from it. */
  aheadMs: number;
}

export const clock: Check = {
  name: "clock",
  looksAt: "This machine, Redis, LiveKit and the services that are named agree on the time, within a second.",
  async run(surroundings) {
    const skews = [...(await ofRedis(surroundings)), ...(await ofServices(surroundings))];
    if (skews.length === 0) return [{ verdict: "skipped", says: "neither Redis nor a service answers" }];
    const off = skews.filter(({ aheadMs }) => Math.abs(aheadMs) > WARN_MS);
    if (off.length > 0) return off.map(findingOf);
    const worst = Math.max(...skews.map(({ aheadMs }) => Math.abs(aheadMs)));
    return [
      ok(
        `${skews.map(({ whose }) => whose).join(", ")}: ${worst === 0 ? "no difference from this machine that can be told" : `within ${Math.round(worst)} ms of this machine`}`,
      ),
    ];
  },
};

function findingOf({ whose, aheadMs }: Skew): Finding {
  const by = `${(Math.abs(aheadMs) / 1000).toFixed(1)} s`;
  const says = `the clock of ${whose} is ${by} ${aheadMs > 0 ? "ahead of" : "behind"} this machine's`;
  const fix = "set both by NTP: timedatectl set-ntp true, or chronyc makestep; on Kubernetes on the nodes";
  return Math.abs(aheadMs) > FAIL_MS ? fail(says, fix) : warn(says, fix);
}

async function ofRedis({ redis, clock }: Surroundings): Promise<Skew[]> {
  const reached = await redis?.reach();
  if (redis === undefined || reached === undefined || "problem" in reached) return [];
  const skews: Skew[] = [];
  for (const master of await redis.masters()) {
    const sentAtMs = clock.now();
    const [seconds, microseconds] = await master.redis.time();
    const saidMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
    skews.push({ whose: master.name, aheadMs: outside(saidMs, saidMs, sentAtMs, clock.now()) });
  }
  return skews;
}

async function ofServices({ settings, clock }: Surroundings): Promise<Skew[]> {
  const named = [
    ["the api", settings.apiUrl],
    ["the gateway", settings.gatewayUrl],
    ["the dispatcher", settings.dispatcherUrl],
    ["LiveKit", settings.livekitUrl === undefined ? undefined : apiUrlOf(settings.livekitUrl)],
  ] as const;
  const skews = await Promise.all(
    named.map(async ([whose, url]) => {
      if (url === undefined) return [];
      const answer = await probe(`${url}/`, { timeoutMs: TIMEOUT_MS, now: () => clock.now() });
      const aheadMs = "status" in answer ? aheadOf(answer) : undefined;
      return aheadMs === undefined ? [] : [{ whose, aheadMs }];
    }),
  );
  return skews.flat();
}

/** undefined: it gives no date. */
function aheadOf({ headers, sentAtMs, answeredAtMs }: Answer): number | undefined {
  const saidMs = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(saidMs) ? undefined : outside(saidMs, saidMs + SECOND_MS, sentAtMs, answeredAtMs);
}

/** It was said at some time from `fromMs` to `toMs`, and between asking and answering: by how much these miss each other. */
function outside(fromMs: number, toMs: number, sentAtMs: number, answeredAtMs: number): number {
  if (fromMs > answeredAtMs) return fromMs - answeredAtMs;
  return toMs < sentAtMs ? toMs - sentAtMs : 0;
}
