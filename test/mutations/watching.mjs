/** Bugs of what is told to those who watch: metrics that mislead, or that cost what they must not. See list.mjs. */

const gateway = (test) => ({ file: "services/gateway/test/gateway-metrics.test.ts", test });
const dispatches = (test) => ({ file: "services/dispatcher/test/dispatch-metrics.test.ts", test });
const gauges = (test) => ({ file: "services/dispatcher/test/pool-gauges.test.ts", test });
const http = (test) => ({ file: "services/api/test/http-metrics.test.ts", test });
const size = (test) => ({ file: "shared/ledger/test/pool-size.test.ts", test });
const redis = (test) => ({ file: "shared/runtime/test/redis-measure.test.ts", test });

export const WATCHING = [
  {
    name: "a path is a label, with the ids in it",
    breaks: 9,
    file: "services/api/src/rest/rest-app.ts",
    find: 'ended(route === ALL_PATHS ? NO_ROUTE : route.replace(/:(\\w+)/g, "{$1}"), c.res.status);',
    replace: "ended(route === ALL_PATHS ? NO_ROUTE : c.req.path, c.res.status);",
    caughtBy: http("counts by the route as the API describes it"),
  },
  {
    name: "a call of Twirp that nobody knows is a label",
    breaks: 9,
    file: "services/api/src/front-door.ts",
    find: "OWN_CALL.test(path) ? path : NO_ROUTE",
    replace: "path",
    caughtBy: http("puts whatever a stranger writes under one name"),
  },
  {
    name: "a job that had to wait counts as dispatched at once",
    breaks: 0,
    file: "services/dispatcher/src/offer-message.ts",
    find: "parkedAtMs(job) > 0 ||",
    replace: "",
    caughtBy: dispatches("times one that had to wait for a worker by its wait"),
  },
  {
    name: "a job that is resumed counts as dispatched anew",
    breaks: 0,
    file: "services/dispatcher/src/offer-message.ts",
    find: "Number(job.accepted_epoch ?? 0) > 0",
    replace: "Number(job.accepted_epoch ?? 0) < 0",
    caughtBy: dispatches("says nothing of one that ran before"),
  },
  {
    name: "an offer of an older dispatcher, which says nothing of times, is no offer",
    breaks: 1,
    file: "services/gateway/src/gateway-message.ts",
    find: "first: first.exactOptional(),",
    replace: "first,",
    caughtBy: gateway("nor one whose sender says nothing of it"),
  },
  {
    name: "every report of a job is its first",
    breaks: 0,
    file: "services/gateway/src/held-jobs.ts",
    find: "if (held !== undefined) held.assignedAtMs = undefined;",
    replace: "",
    caughtBy: gateway("times a dispatch from the order to the assignment"),
  },
  {
    name: "only the first priority in line is looked at for who waits longest",
    breaks: 0,
    file: "shared/ledger/lua/measure-pool.lua",
    find: "MOST_PRIORITIES, SUSPECT_BAND = 4398046511104, 16, 1001",
    replace: "MOST_PRIORITIES, SUSPECT_BAND = 4398046511104, 1, 1001",
    caughtBy: size("on a single Redis knows how long the one waits that waits longest"),
  },
  {
    name: "pools are measured although nobody reads the metrics",
    breaks: 0,
    file: "services/dispatcher/src/pool-gauges.ts",
    find: "if (clock.now() - this.#readAtMs < READ_LATELY_MS) this.#begin();",
    replace: "this.#begin();",
    caughtBy: gauges("not while nobody reads"),
  },
  {
    name: "what was measured of a namespace is told after it went to another dispatcher",
    breaks: 0,
    file: "services/dispatcher/src/pool-gauges.ts",
    find: "for (const namespace of hosted()) {",
    replace: "for (const namespace of this.#measured.keys()) {",
    caughtBy: gauges("tells nothing any more of a namespace that another dispatcher hosts by now"),
  },
  {
    name: "a script that Redis refused for now is not counted",
    breaks: 0,
    file: "shared/runtime/src/redis/script.ts",
    find: "observer?.refused(script.name);",
    replace: "",
    caughtBy: redis("one that is refused for now counts each refusal"),
  },
  {
    name: "a job that was ended before counts as ended again",
    breaks: 0,
    file: "shared/ledger/lua/delete-order.lua",
    find: "serve, #jobs }",
    replace: "serve, 1 }",
    caughtBy: http("counts the jobs that it ends"),
  },
];
