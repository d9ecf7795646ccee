/** Bugs of the ledger about sick workers: what counts against whom, for how long, and what clears it. See list.mjs. */

const EJECTING = "shared/ledger/lua/includes/ejecting.lua";
const sick = (test) => ({ file: "shared/ledger/test/sick-workers.test.ts", test: `single Redis ${test}` });

const slow = (test) => ({ file: "shared/ledger/test/slow-answers.test.ts", test: `single Redis ${test}` });

export const LEDGER_SICK = [
  {
    name: "a worker that is slow is taken for silent",
    breaks: 11,
    file: "shared/ledger/lua/reject.lua",
    find: 'if reason == "silent" then ejection',
    replace: 'if reason == "silent" or reason == "slow" then ejection',
    caughtBy: slow("the job goes on, the worker is blamed for nothing"),
  },
  {
    name: "an offer ends in the ledger before its worker's time is over",
    breaks: 11,
    file: "shared/ledger/lua/includes/claiming.lua",
    find: "if answer_ms then deadline",
    replace: "if false then deadline",
    caughtBy: slow("an offer is never given less than its gateway gives"),
  },
  {
    name: "a late yes passes the worker's cap",
    breaks: 6,
    file: "shared/ledger/lua/settle-late.lua",
    find: 'or measure(session, true).verdict ~= "room"',
    replace: "or false",
    caughtBy: slow("a late yes is taken of one that says FULL"),
  },
  {
    name: "a worker that is ejected is offered work",
    breaks: 6,
    file: "shared/ledger/lua/includes/placing.lua",
    find: '  if tonumber(cooling_until) > now then return "cooling" end\n',
    replace: "",
    caughtBy: { file: "shared/ledger/test/never-offered.test.ts", test: "no offer to who is full" },
  },
  {
    name: "a worker on probation has as many jobs as it can take",
    breaks: 6,
    file: "shared/ledger/lua/includes/placing.lua",
    find: 'at.verdict = "probation"',
    replace: "at.verdict = nil",
    caughtBy: sick("on probation it has one job at a time"),
  },
  {
    name: "each of the offers that timed out together doubles the cool-down",
    breaks: 11,
    file: EJECTING,
    find: "if ejected_at and (tonumber(cooling_until) > now or tonumber(job.offered_at) <= tonumber(ejected_at)) then",
    replace: "if ejected_at and (tonumber(cooling_until) < 0) then",
    caughtBy: sick("what was offered before its ejection"),
  },
  {
    name: "the last worker that can take work is left alone for minutes",
    breaks: 11,
    file: EJECTING,
    find: "is_last and 0 or math.min(10, ejections - 1)",
    replace: "math.min(10, ejections - 1)",
    caughtBy: sick("the last one that can take work"),
  },
  {
    name: "when the last healthy worker goes, its jobs wait out the cool-down of the others",
    breaks: 1,
    file: "shared/ledger/lua/includes/losing.lua",
    find: "  try_ejected(pool)\n",
    replace: "",
    caughtBy: sick("when the last of the others goes"),
  },
  {
    name: "a worker that is full is ejected for its refusals",
    breaks: 11,
    file: "shared/ledger/lua/sample-sessions.lua",
    find: 'if sample.status == "full" then excuse(sample.session) end',
    replace: 'if sample.status == "never" then excuse(sample.session) end',
    caughtBy: sick("one that says it is full was right to refuse"),
  },
  {
    name: "an older job that ends well speaks for a worker that can start none",
    breaks: 11,
    file: EJECTING,
    find: "elseif failed_at and tonumber(started_at) >= tonumber(failed_at) then",
    replace: "elseif failed_at then",
    caughtBy: sick("failures are not in a row when a later job"),
  },
];
