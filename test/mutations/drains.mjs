/** Bugs about drains that operators ask for, and about how many workers are asked for. See list.mjs. */

const LUA = "shared/ledger/lua/";
const inSuite = (suite, test) => ({
  file: `shared/ledger/test/${suite}.test.ts`,
  test: `single Redis ${test}`,
});

export const DRAINS = [
  {
    name: "a drained session is offered jobs all the same",
    breaks: 6,
    file: `${LUA}includes/placing.lua`,
    find: '  if drained then return "drained" end\n',
    replace: "",
    caughtBy: inSuite("drains", "hold those who are there once they were applied"),
  },
  {
    name: "who registers while a drain stands is not held by it",
    breaks: 6,
    file: `${LUA}register-session.lua`,
    find: "follow_drains(session)\n",
    replace: "",
    caughtBy: inSuite("drains", "of a worker still hold it when its gateway only lapsed"),
  },
  {
    name: "a drain whose call broke off holds nobody",
    breaks: 4,
    file: `${LUA}sample-sessions.lua`,
    find: "    follow_drains(sample.session)\n",
    replace: "",
    caughtBy: inSuite("drains", "undone and not applied, give back their sessions"),
  },
  {
    name: "undoing a drain undoes that of the worker itself",
    breaks: 6,
    file: `${LUA}includes/draining.lua`,
    find: '    redis.call("HDEL", session_of(id), "drained")\n',
    replace:
      '    redis.call("HDEL", session_of(id), "drained")\n    redis.call("HSET", session_of(id), "draining", 0)\n',
    caughtBy: inSuite("drains", "are not undone by the worker's own drain"),
  },
  {
    name: "an undone drain leaves the waiting jobs to the next look",
    breaks: 8,
    file: "services/api/src/drains.ts",
    find: '      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });\n',
    replace: "      void hints;\n",
    caughtBy: {
      file: "services/api/test/drains.test.ts",
      test: "is done when its workers have nothing left",
    },
  },
  {
    name: "jobs on hold ask for workers, as if they waited",
    breaks: 1,
    file: `${LUA}measure-pool.lua`,
    find: 'if state == "queued" and its_pool == pool then',
    replace: 'if (state == "queued" or state == "parked") and its_pool == pool then',
    caughtBy: inSuite("pool-size", "counts who waits, parked or not tried yet"),
  },
  {
    name: "a deployment that cools down as a whole is given ever more workers",
    breaks: 6,
    file: "shared/domain/src/scaling.ts",
    find: "Math.min(size.cooling, serving)",
    replace: "size.cooling",
    caughtBy: { file: "shared/domain/test/scaling.test.ts", test: "more who cool down than serve" },
  },
];
