/** Bugs of the ledger in how jobs are divided between two deployments, and judged. See list.mjs. */

const LUA = "shared/ledger/lua/";
const splits = (test) => ({ file: "shared/ledger/test/splits.test.ts", test: `single Redis ${test}` });

const short = (test) => ({ file: "shared/ledger/test/short-jobs.test.ts", test: `single Redis ${test}` });

export const LEDGER_SPLITS = [
  {
    name: "a caller waits for a candidate that has no room",
    breaks: 1,
    file: `${LUA}includes/siding.lua`,
    find: 'return sides.percent < 100 or job.split_state == "refused"',
    replace: 'return job.split_state == "refused"',
    caughtBy: splits("below 100 percent nobody waits for the candidate"),
  },
  {
    name: "a side is taken that nobody serves",
    breaks: 1,
    file: `${LUA}includes/siding.lua`,
    find: "return is_served(other) and other or wanted",
    replace: "return wanted",
    caughtBy: splits("has the stable one no worker at all"),
  },
  {
    name: "a job that waits for a side which is gone stays there",
    breaks: 1,
    file: `${LUA}expire-job.lua`,
    find: "is_only_looked_at(record, due) and stands_well(record)",
    replace: "is_only_looked_at(record, due)",
    caughtBy: splits("a job that waits for a side which is gone"),
  },
  {
    name: "a candidate that was found bad gets jobs",
    breaks: 1,
    file: `${LUA}includes/siding.lua`,
    find: "is_open = is_ours and not split.rolled_back_at and",
    replace: "is_open = is_ours and",
    caughtBy: splits("failures roll it back"),
  },
  {
    name: "a job that failed at the candidate is tried there again",
    breaks: 1,
    file: `${LUA}includes/splitting.lua`,
    find: 'job.split_state = is_good and "ran" or "spent"',
    replace: 'job.split_state = is_good and "ran" or "placed"',
    caughtBy: splits("a job that failed there goes to the stable one"),
  },
  {
    name: "an offer that could not be told is held against the candidate",
    breaks: 11,
    file: `${LUA}includes/splitting.lua`,
    find: 'if reason == "silent" then note_outcome',
    replace: 'if reason ~= "rejected" then note_outcome',
    caughtBy: splits("one that could not be asked speaks against nobody"),
  },
  {
    name: "who comes back to a job that had gone home is sent away",
    breaks: 2,
    file: `${LUA}includes/falling-back.lua`,
    find: "is_side and 0 or nil",
    replace: "nil",
    caughtBy: splits("a lost worker that is back before another was asked"),
  },
  {
    name: "a short job counts each time that somebody says so",
    breaks: 3,
    file: `${LUA}note-short-job.lua`,
    find: '"short", 1)',
    replace: '"short", 0)',
    caughtBy: short("counts once, when it has ended well"),
  },
  {
    name: "a short job is bad for a split that does not say so",
    breaks: 13,
    file: `${LUA}note-short-job.lua`,
    find: 'if split and split.short_jobs == "bad" then',
    replace: "if split then",
    caughtBy: short("of a split's candidate is ignored as the split says"),
  },
];
