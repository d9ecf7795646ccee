/**
 * Owns this process's claim to run on this Redis: which build it is, said before anything else is, and again for as long
 * as it lives. Refuses to start where what is kept, or somebody who lives, is of a schema that it cannot live with. Once
 * it runs it never ends by itself: a neighbour that should not be there is logged, until it is gone.
 */
import { SCHEMA, type Schema } from "@muster/domain/schema";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { runScript } from "@muster/runtime/redis/script";
import { type ClaimReply, type Neighbour, parseClaim } from "./claim-reply.js";
import { BUILDS_KEY, CLAIMS_KEY, leasesKey, SCHEMA_KEY } from "./keys.js";
import { loadScript } from "./lua-script.js";
import { SchemaRefused } from "./schema-refused.js";
import { messageOf, pause, within } from "./timing.js";

const CLAIM_BUILD = loadScript("claim-build", 5);
const RELEASE_BUILD = loadScript("release-build", 2);

const CLAIM_MS = 5_000;
const RENEW_EVERY_MS = 1_500;
/** Of who is gone it stays known for so long what it was: its lease may outlast its claim. */
const DROP_AFTER_MS = 120_000;
const RETRY_MS = 500;
/** Longer than a claim: who was killed a moment ago is not taken for a neighbour. */
const PATIENCE_MS = CLAIM_MS + 1_000;
const RELEASE_LIMIT_MS = 1_000;

export interface BuildClaimDeps {
  redis: RedisClient;
  /** Of this process: one, or two where gateway and dispatcher share it. */
  nodeIds: readonly string[];
  /** For people. */
  service: string;
  version: string;
  clock: Clock;
  log: Log;
  schema?: Schema;
  claimMs?: number;
  renewEveryMs?: number;
  /** How long it waits for neighbours to go that it cannot live with. */
  patienceMs?: number;
}

export class BuildClaim {
  readonly #deps: BuildClaimDeps;
  readonly #schema: Schema;
  #cancel = (): void => {};
  #renewing: Promise<void> = Promise.resolve();
  #isReleased = false;
  /** What was logged last of who is beside us. */
  #told = "";

  constructor(deps: BuildClaimDeps) {
    this.#deps = deps;
    this.#schema = deps.schema ?? SCHEMA;
  }

  /** Resolves when the claim is held, however long Redis takes. @throws SchemaRefused */
  async take(): Promise<void> {
    const { clock, log, patienceMs = PATIENCE_MS } = this.#deps;
    let refusedAtMs: number | undefined;
    for (;;) {
      const reply = await this.#ask(false).catch((error: unknown) => {
        log.warn({ error: messageOf(error) }, "Redis was not asked whether this build may run; trying again");
        return undefined;
      });
      if (reply?.status === "claimed") {
        this.#tell(reply);
        break;
      }
      if (reply?.status === "older") throw SchemaRefused.byStore(this.#schema, reply);
      if (reply?.status === "beside") {
        if (refusedAtMs === undefined) {
          refusedAtMs = clock.now();
          log.warn(
            { neighbours: shown(reply.neighbours.filter(({ clashes }) => clashes)) },
            "processes run here that this build cannot live with; waiting for them to go",
          );
        }
        if (clock.now() - refusedAtMs >= patienceMs) throw SchemaRefused.beside(this.#schema, reply);
      }
      await pause(clock, RETRY_MS);
    }
    this.#schedule();
  }

  /** Given up at once, so that nobody waits for its end. Never rejects: without Redis it ends by itself. */
  async release(): Promise<void> {
    const { clock, redis, nodeIds, log } = this.#deps;
    this.#isReleased = true;
    this.#cancel();
    try {
      // A renewal under way would claim again behind us.
      await within(clock, RELEASE_LIMIT_MS, this.#renewing);
      await within(
        clock,
        RELEASE_LIMIT_MS,
        runScript(redis, RELEASE_BUILD, [BUILDS_KEY, CLAIMS_KEY], [...nodeIds]),
      );
    } catch (error) {
      log.warn({ error: messageOf(error) }, "claim not released; it ends by itself");
    }
  }

  #schedule(): void {
    const { clock, log, renewEveryMs = RENEW_EVERY_MS } = this.#deps;
    if (this.#isReleased) return;
    this.#cancel = clock.setTimer(renewEveryMs, () => {
      this.#renewing = this.#ask(true)
        .then((reply) => this.#tell(reply))
        .catch((error: unknown) => log.warn({ error: messageOf(error) }, "claim not renewed; trying again"))
        .then(() => this.#schedule());
    });
  }

  async #ask(holds: boolean): Promise<ClaimReply> {
    const { redis, nodeIds, service, version, claimMs = CLAIM_MS } = this.#deps;
    const { writes, livesWith } = this.#schema;
    const build = JSON.stringify({ service, version, writes, livesWith });
    const keys = [BUILDS_KEY, CLAIMS_KEY, SCHEMA_KEY, leasesKey("gateway"), leasesKey("dispatcher")];
    const args = [writes, livesWith, build, claimMs, DROP_AFTER_MS, holds ? "1" : "0", ...nodeIds];
    return parseClaim(await runScript(redis, CLAIM_BUILD, keys, args), CLAIM_BUILD);
  }

  /** Each time when it is another picture. */
  #tell({ status, oldest, newest, neighbours }: ClaimReply): void {
    const { log, nodeIds } = this.#deps;
    const { writes } = this.#schema;
    const clashing = neighbours.filter(({ clashes }) => clashes);
    const others = countBySchema(neighbours.filter((one) => one.writes !== writes));
    const picture = JSON.stringify([status, others, clashing.map(({ nodeId }) => nodeId)]);
    if (picture === this.#told) return;
    const isFirst = this.#told === "";
    this.#told = picture;
    if (status === "older") {
      log.error(
        { schema: writes, oldest, newest },
        "builds have claimed this Redis that this one cannot live with, while it was away; stop this process",
      );
    } else if (clashing.length > 0) {
      log.error(
        { schema: writes, neighbours: shown(clashing) },
        "processes run beside this one that it cannot live with; stop one or the other",
      );
    } else if (isFirst || Object.keys(others).length > 0) {
      log.info({ nodes: nodeIds, schema: writes, oldest, newest, others }, "claimed to run on this Redis");
    } else {
      log.info({ schema: writes }, "all processes are of one schema");
    }
  }
}

function countBySchema(neighbours: readonly Neighbour[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { writes } of neighbours) counts[writes] = (counts[writes] ?? 0) + 1;
  return counts;
}

const MOST_SHOWN = 8;

/** For a log line: a few of them, as `gateway 0.1.0 (schema 1)`. */
function shown(neighbours: readonly Neighbour[]): string[] {
  return neighbours.slice(0, MOST_SHOWN).map(({ nodeId, service, version, writes }) => {
    const name = service === "" ? "of a build that claims no schema" : `${service} ${version}`;
    return `${nodeId}: ${name} (schema ${writes})`;
  });
}
