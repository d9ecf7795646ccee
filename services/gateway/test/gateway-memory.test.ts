import type { OfferMessage } from "@muster/domain/node-message";
import { expect, it } from "vitest";
import { HeldJobs } from "../src/held-jobs.js";
import { FactMemory, type JobFacts } from "../src/job-facts.js";

/** Two bytes a character. */
const facts = (metadataBytes: number): JobFacts => ({
  offer: {
    metadata: "m".repeat(metadataBytes / 2),
    roomInfo: "",
    participantInfo: "",
    attributes: {},
  } as OfferMessage & object,
  agentIdentity: "me",
});
const job = (wire: string) => ({ job: wire, wire, epoch: 1 });

it("remembers what jobs are up to a bound for all sessions together, and holds the others as well", () => {
  const memory = new FactMemory({ maxBytes: 10_000 });
  const [first, second] = [
    new HeldJobs({ session: "AW_1", memory }),
    new HeldJobs({ session: "AW_2", memory }),
  ];
  first.add(job("AJ_1"), "g");
  first.remember("AJ_1", facts(6_000));
  second.add(job("AJ_2"), "g");
  second.remember("AJ_2", facts(6_000));
  expect([first.facts("AJ_1"), second.facts("AJ_2")]).toEqual([facts(6_000), undefined]);
  expect(second.list()).toEqual([{ ...job("AJ_2"), session: "AW_2" }]);
  first.forget("AJ_1");
  second.remember("AJ_2", facts(6_000));
  expect(second.facts("AJ_2")).toEqual(facts(6_000));
});

it("gives all of it back with the socket, and holds nothing after it", () => {
  const memory = new FactMemory({ maxBytes: 10_000 });
  const gone = new HeldJobs({ session: "AW_1", memory });
  for (const wire of ["AJ_1", "AJ_2"]) {
    gone.add(job(wire), "g");
    gone.remember(wire, facts(3_000));
  }
  gone.end();
  gone.add(job("AJ_3"), "g");
  gone.remember("AJ_3", facts(2));
  expect(gone.list()).toEqual([]);
  const next = new HeldJobs({ session: "AW_2", memory });
  next.add(job("AJ_4"), "g");
  next.remember("AJ_4", facts(8_900));
  expect(next.facts("AJ_4")).toBeDefined();
});

it("tells what an earlier life of Redis knew from what this one has known", () => {
  const held = new HeldJobs({ session: "AW_1", memory: new FactMemory() });
  held.add(job("AJ_1"), "before");
  expect([held.isFromBefore("AJ_1", "before"), held.isFromBefore("AJ_1", "now")]).toEqual([false, true]);
  held.confirm("AJ_1", "now");
  expect(held.isFromBefore("AJ_1", "now")).toBe(false);
  expect(held.isFromBefore("AJ_never", "now")).toBe(false);
});
