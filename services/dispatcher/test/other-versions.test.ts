/**
 * What other versions leave for a dispatcher, in its inbox, in the queue and among the timers: of those before it all is
 * read; what a later one left is passed over, said once, and in nobody's way.
 */
import { createOutbox } from "@muster/actor/outbox";
import { SCHEMA } from "@muster/domain/schema";
import { systemClock as clock } from "@muster/runtime/clock";
import { createLog } from "@muster/runtime/log";
import { waitUntil } from "@muster/test/kit/wait-until";
import { WRITTEN, writtenBy } from "@muster/test/kit/written-by";
import { describe, expect, it } from "vitest";
import { readHint } from "../src/hint.js";
import { jobsOf } from "../src/intake.js";
import { log } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("other-versions");

/** Its lines from warnings on. */
function recorded() {
  const lines: { level: string; msg: string; what?: string; kind?: string }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { lines, log: createLog({ level: "warn", service: "test", destination }) };
}

describe.each(WRITTEN)("processes of schema %i", (_schema, { hints, entry }) => {
  it("send hints that are read", () => {
    for (const message of hints)
      expect(readHint({ actor: "default:zone", message })?.message).toEqual(message);
  });

  it("add entries that are read", () => {
    expect(jobsOf({ id: "AD_1", data: entry, attempt: 1 })).toEqual(entry.jobs);
  });
});

describe("later processes", () => {
  it("send fields, and add fields to entries, that are passed over", () => {
    const message = { kind: "serve", pool: "room/agent", upTo: 3 };
    expect(readHint({ actor: "default:zone", message, trace: "x" })).toEqual({
      actor: "default:zone",
      message: { kind: "serve", pool: "room/agent" },
    });
    const data = { jobs: ["AJ_1"], since: 1 };
    expect(jobsOf({ id: "AD_1", data, attempt: 1 })).toEqual(["AJ_1"]);
  });

  it("send hints of kinds that are said once and keep none from being read", async () => {
    const namespace = stage.freshNamespace();
    const said = recorded();
    const { nodeId: dispatcher } = await stage.dispatcher({ log: said.log });
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    const outbox = createOutbox({ redis: stage.caller.redis, clock, log });
    for (const message of [{ kind: "rebalance" }, { kind: "rebalance" }, { kind: "admit", job: 7 }, "text"]) {
      expect(await outbox.send(dispatcher, { actor: namespace, message })).toBe("sent");
    }
    const { job } = await stage.caller.order(namespace, "greeter");
    await waitUntil("a job is offered behind them", () => offers().some((offer) => offer.job === job));
    expect(said.lines.map(({ level, what, kind }) => [level, what, kind])).toEqual([
      ["warn", "message", "rebalance"],
      ["warn", "message", "admit"],
      ["warn", "message", ""],
    ]);
  });

  it("set timers of kinds that stay where they are, are said once, and hold up no other", async () => {
    const namespace = stage.freshNamespace();
    const deadlines = `muster:{${namespace}}:deadlines`;
    // Far more than are looked at in one go, and all of them due before any timer of ours.
    const timers = Array.from({ length: 300 }, (_, index) => `rebalance|${index}`);
    await stage.caller.redis.zadd(deadlines, ...timers.flatMap((timer) => ["1", timer]));
    const said = recorded();
    await stage.dispatcher({ log: said.log });
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "slow", nodeId);
    const { job } = await stage.caller.order(namespace, "slow");
    const isOfferedAnew = () => offers().filter((offer) => offer.job === job).length > 1;
    await waitUntil("the offer's deadline is seen to", isOfferedAnew);
    expect(await stage.caller.redis.zcount(deadlines, "1", "1")).toBe(timers.length);
    const ofTimers = said.lines.filter(({ what }) => what === "timer");
    expect(ofTimers.map(({ level, kind }) => [level, kind])).toEqual([["warn", "rebalance"]]);
  });
});

it("an offer has the fields that are written down for this schema; a new one needs a default where it is read", async () => {
  const namespace = stage.freshNamespace();
  await stage.dispatcher();
  const { nodeId, offers } = await stage.gateway();
  await stage.caller.session(namespace, "greeter", nodeId);
  await stage.caller.order(namespace, "greeter");
  const offer = await waitUntil("it is offered", () => offers()[0]);
  expect(Object.keys(offer).sort()).toEqual(Object.keys(writtenBy(SCHEMA.writes).offer).sort());
});
