/** Bugs of the ledger in whom a job goes to: policies, bounds, reserved room, learnt costs, counts. See list.mjs. */

const LUA = "shared/ledger/lua/";
const policies = (test) => ({ file: "shared/ledger/test/strategies.test.ts", test: `single Redis ${test}` });
const preferences = (test) => ({
  file: "shared/ledger/test/preferences.test.ts",
  test: `single Redis ${test}`,
});
const learning = (test) => ({ file: "shared/ledger/test/learning.test.ts", test: `single Redis ${test}` });

const burst = {
  file: "test/simulate/placement.test.ts",
  test: "1,000 jobs at once, onto 100 workers that take what they are offered",
};

export const LEDGER_PLACEMENT = [
  {
    name: "a burst is placed by the last reports alone",
    breaks: 6,
    file: `${LUA}includes/placing.lua`,
    find: "math.min(1, tonumber(load) + uncounted * job_load)",
    replace: "math.min(1, tonumber(load))",
    caughtBy: burst,
  },
  {
    name: "a claim believes where a session stood",
    breaks: 6,
    file: `${LUA}includes/claiming.lua`,
    find: 'local has_room = verdict == "room" or (verdict == "reserved" and is_high)',
    replace: 'local has_room = verdict ~= "excluded" and verdict ~= "gone"',
    caughtBy: policies("a bound holds from the moment it is set"),
  },
  {
    name: "sessions that had no room after all hide one that has",
    breaks: 1,
    file: `${LUA}includes/claiming.lua`,
    find: "return nil, at and not has_room",
    replace: "return nil, false",
    caughtBy: policies("among many at their bound the one with room is found"),
  },
  {
    name: "reserved room is for everybody",
    breaks: 8,
    file: `${LUA}includes/claiming.lua`,
    find: "(policy.reserved_from or math.huge)",
    replace: "0",
    caughtBy: policies("places and load that are reserved"),
  },
  {
    name: "pack takes the least loaded",
    breaks: 8,
    file: `${LUA}includes/choosing.lua`,
    find: 'strategy == "pack" and "ZREVRANGE" or "ZRANGE"',
    replace: '"ZRANGE"',
    caughtBy: policies("pack takes the right one"),
  },
  {
    name: "a worker that was left out is asked after all",
    breaks: 8,
    file: `${LUA}includes/preferring.lua`,
    find: 'if wishes.left_out[id] then return "left_out" end',
    replace: "",
    caughtBy: preferences("a worker that an order leaves out"),
  },
  {
    name: "labels are looked for among the least loaded only",
    breaks: 1,
    file: `${LUA}includes/claiming.lua`,
    find: "local name = labels and labelled(job.pool, labels[1]) or job.pool",
    replace: "local name = job.pool",
    caughtBy: preferences("labels that are needed are found behind any number of others"),
  },
  {
    name: "those who want another kind of worker hold up the line",
    breaks: 8,
    file: `${LUA}serve.lua`,
    find: "if not prefers then passed_over",
    replace: "if true then passed_over",
    caughtBy: preferences("any number of jobs that want another kind of worker"),
  },
  {
    name: "a wish is never given up",
    breaks: 1,
    file: `${LUA}includes/waiting.lua`,
    find: "math.min(next_loosening(job) or math.huge, fallback_due(job)",
    replace: "math.min(fallback_due(job)",
    caughtBy: preferences("a key that insists waits for its worker, and no longer"),
  },
  {
    name: "a load that still averages is learnt from",
    breaks: 6,
    file: `${LUA}includes/learning.lua`,
    find: "if tonumber(last) ~= jobs then",
    replace: "if not last then",
    caughtBy: learning("nothing is learnt of a load that was refused"),
  },
  {
    name: "a long call makes the slope forget the rest",
    breaks: 6,
    file: `${LUA}includes/learning.lua`,
    find: "local FADE, MOST_POINTS = 0.9, 4",
    replace: "local FADE, MOST_POINTS = 0.9, 400",
    caughtBy: learning("it is the sums of the model"),
  },
  {
    name: "one miscount is believed",
    breaks: 6,
    file: `${LUA}includes/counting.lua`,
    find: "local MOST_TIMES = 4",
    replace: "local MOST_TIMES = 1",
    caughtBy: learning("a worker that runs more than we know of"),
  },
];
