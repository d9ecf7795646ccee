/**
 * Owns the lanes of one lane queue in Redis, a script each step: items of a lane stand in line and are done one after the
 * other; a lane with items has one entry in the BullMQ queue beside them, made by whoever fills it (lane-queue.ts). What
 * the steps keep true, whoever dies between them:
 *
 *  - an item is taken in once, since the cursor over its source moves with it;
 *  - a lane that has items has an entry, or is listed as wanting one, or is in the hands of a run whose entry comes back;
 *  - of two runs of a lane, one that was taken for dead among them, only the latest can say what became of an item.
 */
import { InvariantError } from "@muster/domain/assert";
import type { RedisClient } from "../redis/connect.js";
import { loadScript, statusReply } from "../redis/lua-file.js";
import { runScript, type Script } from "../redis/script.js";

const TURN = loadScript("lane-turn", 3);
const TAKE_IN = loadScript("lane-take-in", 3);
const QUEUED = loadScript("lane-queued", 1);
const BEGIN = loadScript("lane-begin", 1);
const DONE = loadScript("lane-done", 3);
const FAILED = loadScript("lane-failed", 5);
const REPLAY = loadScript("lane-replay", 4);

/** A queue that nobody filled for so long begins anew, at the end of its source: what it missed is no news any more. */
const FORGET_CURSOR_MS = 24 * 3_600_000;

export interface LaneItem {
  /** A–Z a–z 0–9 . _ - */
  lane: string;
  /** Of this item alone, `<name>.<life>`: no spaces, no colons. */
  key: string;
  payload: string;
}

/** A lane's first item, without what it is. */
export type LaneHead = Pick<LaneItem, "lane" | "key">;

export type Turn =
  | { status: "other" }
  | { status: "held"; cursor: string; pending: number; unqueued: LaneHead[] };
export type TakenIn = { status: "lost" } | { status: "taken"; unqueued: LaneHead[] };
export type Begun =
  | { status: "empty" }
  | { status: "other"; key: string }
  | { status: "yours"; payload: string };
export type Done =
  | { status: "empty" }
  | { status: "superseded" }
  | { status: "next"; key: string; payload: string };
export type Failed =
  | { status: "superseded" }
  | { status: "again"; failures: number }
  | { status: "dead"; next: string };

export interface DeadItem extends LaneItem {
  reason: string;
  tries: number;
  diedAtMs: number;
}

/** One run of a lane, as the queue's entry gave it. */
export interface Run {
  lane: string;
  /** Of this run alone. */
  token: string;
}

/** What BullMQ's prefix is made of, so that its keys and the lanes share a slot. No namespace holds a slash. */
export const laneSpace = (name: string): string => `hook/${name}`;

export class Lanes {
  readonly #redis: RedisClient;
  readonly #tag: string;

  constructor({ redis, name }: { redis: RedisClient; name: string }) {
    this.#redis = redis;
    this.#tag = `muster:{${laneSpace(name)}}:`;
  }

  async turn(who: string, turnMs: number): Promise<Turn> {
    const keys = ["state", "pump", "unqueued"];
    const { status, rest } = await this.#run(TURN, keys, [who, turnMs, FORGET_CURSOR_MS]);
    if (status === "other") return { status };
    if (status !== "held") throw undeclared(TURN);
    const [cursor, pending, unqueued] = rest;
    return { status, cursor: String(cursor), pending: Number(pending), unqueued: heads(unqueued) };
  }

  /** Gives the turn to whoever asks next. */
  async endTurn(who: string): Promise<void> {
    if ((await this.#redis.get(this.#key("pump"))) === who) await this.#redis.del(this.#key("pump"));
  }

  async takeIn(who: string, from: string, to: string, items: readonly LaneItem[]): Promise<TakenIn> {
    const triples = items.flatMap(({ lane, key, payload }) => [lane, key, payload]);
    const { status, rest } = await this.#run(
      TAKE_IN,
      ["state", "pump", "unqueued"],
      [who, from, to, ...triples],
    );
    if (status === "lost") return { status };
    if (status !== "taken") throw undeclared(TAKE_IN);
    return { status, unqueued: heads(rest[0]) };
  }

  async noteQueued(queued: readonly LaneHead[]): Promise<void> {
    const pairs = queued.flatMap(({ lane, key }) => [lane, key]);
    await this.#run(QUEUED, ["unqueued"], pairs);
  }

  async begin({ lane, token }: Run, key: string): Promise<Begun> {
    const { status, rest } = await this.#run(BEGIN, ["runs"], [lane, key, token]);
    if (status === "empty") return { status };
    if (status === "other") return { status, key: String(rest[0]) };
    if (status !== "yours") throw undeclared(BEGIN);
    return { status, payload: String(rest[0]) };
  }

  async done({ lane, token }: Run, key: string): Promise<Done> {
    const { status, rest } = await this.#run(DONE, ["runs", "state", "tries"], [lane, key, token]);
    if (status === "empty" || status === "superseded") return { status };
    if (status !== "next") throw undeclared(DONE);
    return { status, key: String(rest[0]), payload: String(rest[1]) };
  }

  async failed(
    { lane, token }: Run,
    key: string,
    { reason, mostTries, mostDead }: { reason: string; mostTries: number; mostDead: number },
  ): Promise<Failed> {
    const keys = ["runs", "state", "tries", "dead", "dead-items"];
    const { status, rest } = await this.#run(FAILED, keys, [lane, key, token, reason, mostTries, mostDead]);
    if (status === "superseded") return { status };
    if (status === "again") return { status, failures: Number(rest[0]) };
    if (status !== "dead") throw undeclared(FAILED);
    return { status, next: String(rest[0]) };
  }

  /** Newest first. */
  async dead(limit: number): Promise<DeadItem[]> {
    if (limit < 1) return [];
    const listed = await this.#redis.zrevrange(this.#key("dead"), 0, limit - 1, "WITHSCORES");
    const keys = listed.filter((_text, index) => index % 2 === 0);
    if (keys.length === 0) return [];
    const texts = await this.#redis.hmget(this.#key("dead-items"), ...keys);
    return keys.flatMap((key, index) => {
      const item = deadItem(key, texts[index], Number(listed[2 * index + 1]));
      return item === undefined ? [] : [item];
    });
  }

  /** undefined when there is none of that key. */
  async findDead(key: string): Promise<DeadItem | undefined> {
    const [diedAt, text] = await Promise.all([
      this.#redis.zscore(this.#key("dead"), key),
      this.#redis.hget(this.#key("dead-items"), key),
    ]);
    return deadItem(key, text, Number(diedAt));
  }

  /** False when there is none of that key. Its entry is made in the next turn. */
  async replay(key: string): Promise<boolean> {
    const { status } = await this.#run(REPLAY, ["state", "unqueued", "dead", "dead-items"], [key]);
    return status === "replayed";
  }

  #key(name: string): string {
    return this.#tag + name;
  }

  async #run(script: Script, names: readonly string[], args: (string | number)[]) {
    const keys = names.map((name) => this.#key(name));
    return statusReply(await runScript(this.#redis, script, keys, args), script);
  }
}

function heads(flat: unknown): LaneHead[] {
  const parts = Array.isArray(flat) ? flat.map(String) : [];
  const listed: LaneHead[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2)
    listed.push({ lane: parts[at] ?? "", key: parts[at + 1] ?? "" });
  return listed;
}

/** Its text is gone when somebody replayed it in between. */
function deadItem(key: string, text: string | null | undefined, diedAtMs: number): DeadItem | undefined {
  if (text === null || text === undefined) return undefined;
  const stored = JSON.parse(text) as Omit<DeadItem, "key" | "diedAtMs">;
  return { ...stored, key, diedAtMs };
}

function undeclared(script: Script): InvariantError {
  return new InvariantError(`script ${script.name} answered an undeclared status`);
}
