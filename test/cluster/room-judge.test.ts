/** The judge of the siege of rooms is judged: each broken promise is found, and what excuses it is known. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { Conditions } from "./conditions.js";
import type { Call } from "./room-siege/callers.js";
import { AFTERMATH_MS, ALONE_MS, GHOST_MS, Judge, SERVED_MS, SLACK_MS } from "./room-siege/judge.js";
import { OVERLAP_BOUND_MS } from "./timing.js";

const ROOM = "call-0";
const START_MS = 100_000;
const JOB = "AJ_22222222222222";

let nowMs: number;
let livekit: LivekitStandIn;
let conditions: Conditions;
let call: Call;
let there: string[];
let fates: Map<string, { order: string; state: string; outcome: string; cause: string }>;
let isComing: boolean;
let hasJoined: boolean;
let hasPlace: boolean;
let judge: Judge;

beforeEach(async () => {
  nowMs = START_MS;
  livekit = await startLivekitStandIn();
  conditions = new Conditions(() => nowMs);
  conditions.set("gateway-0", "up");
  call = {
    room: ROOM,
    order: "AD_1",
    presentSinceMs: undefined,
    sid: "PA_1",
    goneToldAtMs: undefined,
  };
  there = [];
  fates = new Map();
  [isComing, hasJoined, hasPlace] = [false, false, true];
  judge = new Judge({
    ...{ now: () => nowMs, conditions, names: ["gateway-0"], fates, livekit },
    callers: { calls: new Map([[ROOM, call]]), agentsIn: () => there },
    agents: { isComing: () => isComing, hasJoined: () => hasJoined },
    hasPlace: () => hasPlace,
  });
});
afterEach(() => livekit.stop());

function lasts(ms: number): void {
  judge.look();
  nowMs += ms;
  judge.look();
}
const come = () => {
  livekit.rooms.join(ROOM, "caller");
  call.presentSinceMs = nowMs;
};
const sent = () => judge.started({ wire: JOB, room: ROOM, token: "", assignedAtMs: nowMs });

it("a caller without an agent, while a worker has room", () => {
  come();
  lasts(SERVED_MS);
  expect(judge.violations).toEqual([]);
  lasts(1);
  expect(judge.violations).toEqual([expect.stringContaining(`the caller in ${ROOM} has no agent`)]);
});

it.each<[string, () => void]>([
  [
    "no worker has room",
    () => {
      hasPlace = false;
    },
  ],
  [
    "the agent is on its way",
    () => {
      isComing = true;
    },
  ],
  ["the job failed as often as it may", () => void fates.set(JOB, { ...fateOf("failed") })],
  [
    "an agent was there and has done its work, as its worker says",
    () => {
      hasJoined = true;
      fates.set(JOB, fateOf("success"));
    },
  ],
  ["a gateway was away", () => conditions.set("gateway-0", "dead")],
])("not when %s", (_, excuse) => {
  come();
  excuse();
  lasts(2 * SERVED_MS);
  expect(judge.violations).toEqual([]);
});

it("a success that nobody saw is no excuse", () => {
  come();
  fates.set(JOB, fateOf("success"));
  lasts(2 * SERVED_MS);
  expect(judge.violations).toHaveLength(1);
});

it("not who has gone while LiveKit has told nobody", () => {
  nowMs += 10 * GHOST_MS;
  sent();
  expect(judge.violations).toEqual([]);
});

it("an agent for somebody who has gone; not while it may not be known yet, nor when they are back", () => {
  [call.goneToldAtMs, nowMs] = [nowMs, nowMs + GHOST_MS];
  sent();
  expect(judge.violations).toEqual([]);
  nowMs += 1;
  call.presentSinceMs = nowMs;
  sent();
  expect(judge.violations).toEqual([]);
  call.presentSinceMs = undefined;
  sent();
  expect(judge.violations).toEqual([expect.stringContaining(`${JOB} was sent to ${ROOM}`)]);
});

it("a fault of long ago excuses nothing", () => {
  conditions.set("gateway-0", "dead");
  nowMs += 1;
  conditions.set("gateway-0", "up");
  nowMs += AFTERMATH_MS + 1;
  [call.goneToldAtMs, nowMs] = [nowMs, nowMs + 2 * GHOST_MS];
  sent();
  expect(judge.violations).toHaveLength(1);
});

it("an agent that is alone, for longer than any time-out", () => {
  livekit.rooms.join(ROOM, "agent-1", { kind: "agent" });
  there = ["agent-1"];
  lasts(ALONE_MS);
  expect(judge.violations).toEqual([]);
  lasts(1);
  expect(judge.violations).toEqual([expect.stringContaining(`agent-1 has been alone in ${ROOM}`)]);
});

it("two agents of one order, for longer than it takes to stop one", () => {
  come();
  there = [`agent-${JOB}`, `agent-${JOB}.2`];
  lasts(OVERLAP_BOUND_MS + SLACK_MS);
  expect(judge.violations).toEqual([]);
  lasts(1);
  expect(judge.violations).toEqual([expect.stringContaining(`${ROOM} has had two agents`)]);
});

function fateOf(outcome: string) {
  return { order: "AD_1", state: "ended", outcome, cause: "reported" };
}
