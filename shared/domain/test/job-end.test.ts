/** Why a job ended, as people and LiveKit's clients read it. */

import { JOB_OUTCOMES, JOB_STATES } from "@muster/domain/job";
import { errorOf, wireErrorOf } from "@muster/domain/job-end";
import { expect, test } from "vitest";

const ENDED = { state: "ended", outcome: "canceled", cause: "room_closed", error: "" } as const;

test("what is kept stands, with its outcome before it where LiveKit's status does not say it", () => {
  const left = { ...ENDED, cause: "caller_left", error: "the last caller left the room" };
  expect(errorOf(left)).toBe("the last caller left the room");
  expect(wireErrorOf(left)).toBe("canceled: the last caller left the room");
  expect(wireErrorOf({ ...left, outcome: "expired" })).toBe("expired: the last caller left the room");
  const failed = { ...ENDED, outcome: "failed", cause: "reported", error: "it broke" } as const;
  expect(wireErrorOf(failed)).toBe("it broke");
});

test("where nothing is kept, the cause says it", () => {
  expect(errorOf(ENDED)).toBe("the room closed while the job waited");
  expect(wireErrorOf(ENDED)).toBe("canceled: the room closed while the job waited");
  const failed = { ...ENDED, outcome: "failed", cause: "reported" } as const;
  expect(wireErrorOf(failed)).toBe("the worker reported a failure without saying why");
  expect(errorOf({ ...ENDED, cause: "of_a_newer_version" })).toBe("the job ended: of_a_newer_version");
});

test.each(JOB_OUTCOMES)("ended as %s without a word: a sentence, unless it went well", (outcome) => {
  const bare = { ...ENDED, outcome, cause: "" };
  expect(errorOf(bare) === "").toBe(outcome === "success");
  expect(wireErrorOf(bare) === "").toBe(outcome === "success");
});

test.each(JOB_STATES.filter((state) => state !== "ended"))(
  "%s: what is kept, of an attempt before",
  (state) => {
    const lives = { state, outcome: "", cause: "", error: "" } as const;
    expect(wireErrorOf(lives)).toBe("");
    expect(wireErrorOf({ ...lives, error: "it broke" })).toBe("it broke");
  },
);
