/** Bugs about what is told of the attempts to place a job. See list.mjs. */

const LUA = "shared/ledger/lua/";
const inSuite = (suite, test) => ({
  file: `shared/ledger/test/${suite}.test.ts`,
  test: `single Redis ${test}`,
});
const ATTEMPTING = `${LUA}includes/attempting.lua`;

export const LEDGER_ATTEMPTS = [
  {
    name: "a refusal leaves no trace of its attempt",
    breaks: 7,
    file: `${LUA}reject.lua`,
    find: "close_attempt(job, record, reason)\n",
    replace: "",
    caughtBy: inSuite("attempts", "refused, not answered, not delivered"),
  },
  {
    name: "what is kept of a job's attempts grows with each",
    breaks: 10,
    file: ATTEMPTING,
    find: "<= MOST_KEPT then return end",
    replace: "<= 1000 then return end",
    caughtBy: inSuite("attempts", "of many the first five and the newest fifteen are kept"),
  },
  {
    name: "of more attempts than are kept the newest are left out",
    breaks: 7,
    file: ATTEMPTING,
    find: '    redis.call("LREM", key, 1, left_out)\n',
    replace: '    redis.call("RPOP", key)\n',
    caughtBy: inSuite("attempts", "of many the first five and the newest fifteen are kept"),
  },
  {
    name: "attempts outlive their job",
    breaks: 7,
    file: `${LUA}sweep-ended.lua`,
    find: "job_of(id), attempts_of(id))",
    replace: "job_of(id))",
    also: [{ find: "-- @family attempts attempts:\n", replace: "" }],
    caughtBy: inSuite("attempts", "they are kept with the job, and go with it"),
  },
  {
    name: "an offer to a job that was parked leaves it in that attempt",
    breaks: 3,
    file: `${LUA}includes/claiming.lua`,
    find: '  close_attempt(job_id, job, "parked")\n',
    replace: "",
    caughtBy: inSuite("attempts", "that finds nobody is one attempt"),
  },
  {
    name: "a session that is gone is still among its pool's",
    breaks: 4,
    file: `${LUA}includes/losing.lua`,
    find: '  redis.call("ZREM", pool_sessions_of(pool), id)\n',
    replace: "",
    caughtBy: inSuite("explain-wait", "a session is among its pool's from its registration until it goes"),
  },
];
