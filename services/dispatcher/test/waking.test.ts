/** Room wakes as many parked jobs as it has places for, and costs as much as those, however many wait. */
import type { OfferMessage } from "@muster/domain/node-message";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { JOBS_AN_ORDER, poolOf } from "./caller.js";
import { testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("waking");

const PARKED = 10_000;
const FREED = 20;
/** `serve` that offers, the offer itself, `serve` that finds no more room. */
const COMMANDS_A_PLACE = 3;
/** Looks at timers and at the namespace, and renewals, in the seconds that this takes. */
const COMMANDS_BESIDE = 20;

it("of 10,000 parked jobs each place that is freed wakes one, and one of the oldest, in a few commands", async () => {
  const namespace = stage.freshNamespace();
  const jobs = await stage.caller.parked(namespace, "greeter", PARKED);
  const dispatcher = await stage.dispatcher({
    leaseMs: 30_000,
    // Only the end of a job may free a place here.
    claim: { ...testPolicy.claim, offerMs: 30_000 },
  });
  const { nodeId, offers } = await stage.gateway();
  const parked = () => stage.caller.redis.zcard(`muster:{${namespace}}:parked:${poolOf("greeter")}`);
  /** The next offer, and all the while nobody else leaves the line. */
  const nextOffer = async (count: number) => {
    const invariant = async () => expect(await parked()).toBeGreaterThanOrEqual(PARKED - count);
    await waitUntil(`offer ${count} arrives`, () => offers().length >= count, { invariant });
    return offers()[count - 1] as OfferMessage;
  };
  await stage.caller.session(namespace, "greeter", nodeId, { cap: 1 });
  let offer = await nextOffer(1);
  dispatcher.commands.reset();

  for (let count = 2; count <= FREED + 1; count++) {
    expect(await stage.caller.take(offer, "reporting")).toBe("started");
    await stage.caller.finish(offer);
    offer = await nextOffer(count);
  }
  // Whoever had been woken beside them would have tried by the next look at the namespace.
  const looks = dispatcher.commands.total();
  await waitUntil("it has looked at its timers again", () => dispatcher.commands.total() >= looks + 4);
  const woken = new Set(offers().map(({ job }) => job));
  expect([offers().length, woken.size]).toEqual([FREED + 1, FREED + 1]);
  expect(jobs.slice(0, JOBS_AN_ORDER)).toEqual(expect.arrayContaining([...woken]));
  expect(await parked()).toBe(PARKED - FREED - 1);
  expect(dispatcher.commands.total()).toBeLessThanOrEqual(FREED * COMMANDS_A_PLACE + COMMANDS_BESIDE);
});
