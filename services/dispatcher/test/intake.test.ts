/** What an entry of the intake queue may say; what cannot be read is no use to try again. */
import { UnrecoverableIntakeError } from "@muster/runtime/queue/intake-entry";
import { expect, test } from "vitest";
import { jobsOf } from "../src/intake.js";

const entry = (data: unknown) => ({ id: "AD_1", data, attempt: 1 });

test("an entry names the jobs to look at", () => {
  expect(jobsOf(entry({ jobs: ["AJ_1", "AJ_2"] }))).toEqual(["AJ_1", "AJ_2"]);
});

test.each([
  ["nothing", undefined, "data"],
  ["no jobs", {}, "jobs"],
  ["an empty list", { jobs: [] }, "jobs"],
  ["too many", { jobs: Array.from({ length: 1_001 }, (_, index) => `AJ_${index}`) }, "jobs"],
  ["what is no id", { jobs: ["AJ_1", "AJ:2"] }, "jobs.1"],
  ["what is no text", { jobs: [7] }, "jobs.0"],
])("an entry with %s is refused, and the field is named", (_, data, field) => {
  const read = () => jobsOf(entry(data));
  expect(read).toThrow(UnrecoverableIntakeError);
  expect(read).toThrow(`intake entry AD_1 cannot be read: ${field}: `);
});
