/** Bugs of the ledger about how jobs end: what is final, whose word counts, who is stopped until when. See list.mjs. */

const LUA = "shared/ledger/lua/";
const running = (test) => ({ file: "shared/ledger/test/running.test.ts", test: `single Redis ${test}` });
const sessions = (test) => ({ file: "shared/ledger/test/sessions.test.ts", test: `single Redis ${test}` });
const migration = (test) => ({ file: "shared/ledger/test/migration.test.ts", test: `single Redis ${test}` });
const retries = (test) => ({ file: "shared/ledger/test/retries.test.ts", test: `single Redis ${test}` });

export const LEDGER_ENDS = [
  {
    name: "an ended job is reopened by a late report",
    breaks: 7,
    file: `${LUA}report.lua`,
    find: 'if record.state == "ended" then\n',
    replace: 'if record.state == "ended" and status ~= "running" then\n',
    also: [
      {
        find: 'local is_started = record.state == "starting" or',
        replace: 'local is_started = record.state == "ended" or record.state == "starting" or',
      },
    ],
    caughtBy: running("a terminated job ends at once"),
  },
  {
    name: "an ended job runs again because it is seen",
    breaks: 7,
    file: `${LUA}seen.lua`,
    find: 'if state ~= "starting" then',
    replace: 'if state ~= "starting" and state ~= "ended" then',
    caughtBy: running("seen makes a started job run, once and for good"),
  },
  {
    name: "an ended job is given to the worker that brings it",
    breaks: 7,
    file: `${LUA}migrate-jobs.lua`,
    find: 'if job.state == "ended" or number',
    replace: "if number",
    caughtBy: migration("what is over, or went on elsewhere"),
  },
  {
    name: "an ended job is ended again, another way",
    breaks: 7,
    file: `${LUA}end-job.lua`,
    find: 'if record.state == "ended" then',
    replace: "if record.state == outcome then",
    caughtBy: running("evidence from outside ends a job whatever its state"),
  },
  {
    name: "terminating twice ends a job twice",
    breaks: 7,
    file: `${LUA}terminate-job.lua`,
    find: 'if record.state == "ended" then return { "final", record.outcome } end\n',
    replace: 'if record.state == "never" then return { "final", record.outcome } end\n',
    caughtBy: running("a terminated job ends at once"),
  },
  {
    name: "a gateway is not told that what it holds is over",
    breaks: 7,
    file: `${LUA}assert-gateway.lua`,
    find: '  if job.state == "ended" then return false end\n',
    replace: "",
    caughtBy: sessions("what is older, held elsewhere or over is to be stopped"),
  },
  {
    name: "a gateway is not told that what it holds runs elsewhere",
    breaks: 2,
    file: `${LUA}assert-gateway.lua`,
    find: "if claim.epoch < epoch or (",
    replace: "if (",
    caughtBy: sessions("what is older, held elsewhere or over is to be stopped"),
  },
  {
    name: "Redis's memory of a job is overwritten by a gateway's",
    breaks: 7,
    file: `${LUA}restore-job.lua`,
    find: '  return { "exists", known.state }\n',
    replace: "",
    caughtBy: {
      file: "shared/ledger/test/new-generation.test.ts",
      test: "single Redis what the ledger has is left as it is",
    },
  },
  {
    name: "a job of an order that is over is brought back by a gateway",
    breaks: 7,
    file: `${LUA}restore-job.lua`,
    find: 'if state and state ~= "live" then return { "exists", "ended" } end',
    replace: "",
    caughtBy: {
      file: "shared/ledger/test/new-generation.test.ts",
      test: "single Redis what the ledger has is left as it is",
    },
  },
  {
    name: "a report of another pool counts for an orphan",
    breaks: 2,
    file: `${LUA}report.lua`,
    find: "if record.wire ~= wire or not (holds or record.pool == pool) then",
    replace: "if record.wire ~= wire then",
    caughtBy: running("an orphan's end counts from any session of its pool, and from no other"),
  },
  {
    name: "a report on an earlier offer counts for the present one",
    breaks: 2,
    file: `${LUA}report.lua`,
    find: "if record.wire ~= wire or not (holds",
    replace: "if not (holds",
    caughtBy: running("an end counts on the worker's next socket"),
  },
  {
    name: "a failure that is repeated fails the next attempt too",
    breaks: 3,
    file: `${LUA}report.lua`,
    find: 'if status == "failed" and record.failed_wire == wire then',
    replace: 'if status == "never" and record.failed_wire == wire then',
    caughtBy: retries("a job that failed is tried again after a back-off"),
  },
  {
    name: "an accept that is repeated is refused",
    breaks: 3,
    file: `${LUA}accept.lua`,
    find: 'if state == "starting" or state == "running" then',
    replace: 'if state == "running" then',
    caughtBy: {
      file: "shared/ledger/test/offers.test.ts",
      test: "single Redis accept commits once and answers the same when repeated",
    },
  },
  {
    name: "the place of a stopped job is freed at once",
    breaks: 2,
    file: `${LUA}includes/stopping.lua`,
    find: 'end_job(job_id, job, "canceled", cause, reason, held)',
    replace: 'end_job(job_id, job, "canceled", cause, reason, held and false)',
    caughtBy: running("a terminated job ends at once"),
  },
  {
    name: "a stop is not kept once it was delivered",
    breaks: 2,
    file: `${LUA}assert-gateway.lua`,
    find: "  if stop and not told[field] then stops[#stops + 1] = cjson.decode(stop) end\n",
    replace: `  if stop and not told[field] then stops[#stops + 1] = cjson.decode(stop) end
  redis.call("SREM", gateway_stops_of(gateway), field)
`,
    caughtBy: migration("what is over, or went on elsewhere"),
  },
  {
    name: "a stop is not told with the gateway's renewals",
    breaks: 2,
    file: `${LUA}assert-gateway.lua`,
    find: "if stop and not told[field] then",
    replace: "if stop and told[field] then",
    caughtBy: running("a terminated job ends at once"),
  },
  {
    name: "a stop is confirmed by a worker that still runs",
    breaks: 2,
    file: `${LUA}report.lua`,
    find: 'if status ~= "running" and redis.call',
    replace: "if redis.call",
    caughtBy: running("a terminated job ends at once"),
  },
  {
    name: "a place waits for ever for a worker that does not confirm its stop",
    breaks: 4,
    file: `${LUA}includes/stopping.lua`,
    find: 'set_timer("stop|" .. field, is_looked_for and remove_at or until_ms)',
    replace: 'set_timer("stop|" .. field, until_ms * 2)',
    caughtBy: running("the place of one that never confirms, 0 ms from the end of its stop"),
  },
  {
    name: "a ghost is not stopped where it was brought to",
    breaks: 2,
    file: `${LUA}migrate-jobs.lua`,
    find: "number < tonumber(job.offers) or job.failed_wire",
    replace: "job.failed_wire",
    caughtBy: migration("what is over, or went on elsewhere"),
  },
];
