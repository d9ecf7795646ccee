/** Bugs about jobs that wait: fallback steps, hold and release, changed terms. See list.mjs. */

const LUA = "shared/ledger/lua/";
const inSuite = (suite, test) => ({
  file: `shared/ledger/test/${suite}.test.ts`,
  test: `single Redis ${test}`,
});

export const LEDGER_WAITING = [
  {
    name: "a job whose callers left for good is offered all the same",
    breaks: 12,
    file: `${LUA}includes/claiming.lua`,
    find: " or is_left_alone(job)",
    replace: "",
    caughtBy: inSuite("callers", "gone for good, it is offered to nobody"),
  },
  {
    name: "an offer is accepted for callers who have left for good",
    breaks: 12,
    file: `${LUA}accept.lua`,
    find: 'if alone_until and now >= tonumber(alone_until) then return { "stale", state } end\n',
    replace: "",
    caughtBy: inSuite("callers", "offered meanwhile, it is accepted in time"),
  },
  {
    name: "a caller who comes back is not waited for",
    breaks: 12,
    file: `${LUA}note-callers.lua`,
    find: '    redis.call("HDEL", job_of(id), "alone_until")\n',
    replace: "",
    caughtBy: inSuite("callers", "back in time, it waits on"),
  },
  {
    name: "callers of a life that ended count as those of the order made after it",
    breaks: 12,
    file: `${LUA}end-room-order.lua`,
    find: "seen_at > tonumber(created_at)",
    replace: "seen_at > 0",
    caughtBy: inSuite("callers", "an order that nothing bound yet"),
  },
  {
    name: "a caller who is told of twice counts twice",
    breaks: 12,
    file: `${LUA}merge-room.lua`,
    find: "if is_here and person.counted ~= 1 then",
    replace: "if is_here then",
    caughtBy: inSuite("callers", "the book counts them, once each"),
  },
  {
    name: "a worker that was lost is a stranger to a job that fell back meanwhile",
    breaks: 2,
    file: `${LUA}migrate-jobs.lua`,
    find: "not may_have(job, pool)",
    replace: "job.pool ~= pool",
    caughtBy: inSuite("fallback", "one whose job went on at the next step is told to stop"),
  },
  {
    name: "a fallback step is gone while gateways may still assert",
    breaks: 5,
    file: "services/dispatcher/src/deadlines.ts",
    find: "const { state, isHeld, patienceEndsAtMs, waitUntilMs } = jobRecord(found.record);\n",
    replace:
      "const { state, isHeld, waitUntilMs } = jobRecord(found.record);\n    const patienceEndsAtMs = waitUntilMs;\n",
    caughtBy: {
      file: "services/dispatcher/test/fallback.test.ts",
      test: "goes no step while its own workers may only not be back yet",
    },
  },
  {
    name: "a job on hold stays in its line",
    breaks: 8,
    file: `${LUA}includes/suspending.lua`,
    find: '  redis.call("ZREM", parked_of(job.pool), id)\n',
    replace: "",
    caughtBy: inSuite("hold", "it holds up nobody behind it"),
  },
  {
    name: "a job of an order on hold is placed all the same",
    breaks: 8,
    file: `${LUA}includes/claiming.lua`,
    find: '  if order.held == "1" then return nil, true end\n',
    replace: "",
    caughtBy: inSuite("hold", "an offer that comes to nothing meanwhile"),
  },
  {
    name: "time on hold counts as waiting",
    breaks: 1,
    file: `${LUA}includes/suspending.lua`,
    find: 'string.format("%.0f", now + tonumber(job.wait_ms))',
    replace: "job.wait_until",
    caughtBy: inSuite("hold", "no clock of it runs"),
  },
  {
    name: "a new priority leaves a parked job where it stands",
    breaks: 8,
    file: `${LUA}change-order.lua`,
    find: '  redis.call("ZADD", parked_of(job.pool), string.format("%.0f", rank(job)), id)\n',
    replace: "",
    caughtBy: inSuite("changes", "a new priority moves a parked job in its line"),
  },
];
