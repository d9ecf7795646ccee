/** Events as other versions have put them into feeds and lanes. */
import { readJobEvent } from "@muster/domain/job-event";
import { WRITTEN } from "@muster/test/kit/written-by";
import { describe, expect, it } from "vitest";

const [, newest] = WRITTEN.at(-1) ?? [0, undefined];

it.each(WRITTEN)("of schema %i are read", (_schema, { event }) => {
  expect(readJobEvent(JSON.stringify(event))).toEqual(event);
});

describe("an event", () => {
  it("of a version that did not know a field has it empty, or 0", () => {
    expect(readJobEvent('{"id":"EV_1","job":"AJ_1"}')).toMatchObject({ error: "", attempts: 0, held: false });
  });

  it("of a later version keeps what it has beyond us", () => {
    const later = { ...newest?.event, event: "agent_job_moved", from_region: "eu" };
    expect(readJobEvent(JSON.stringify(later))).toEqual(later);
  });

  it.each(["", "{", "null", "7", "[]"])("is not %j", (text) => {
    expect(readJobEvent(text)).toBeUndefined();
  });
});
