/** Bugs by which one worker, or one namespace, takes from the others: what is remembered, how many there may be, what is believed. See list.mjs. */

const LUA = "shared/ledger/lua/";
const memory = (test) => ({ file: "shared/ledger/test/agent-memory.test.ts", test: `single Redis ${test}` });
const weighed = (test) => ({
  file: "shared/ledger/test/load-below-count.test.ts",
  test: `single Redis ${test}`,
});

export const NEIGHBOURS = [
  {
    name: "namespaces with workers are without bound",
    breaks: 9,
    file: `${LUA}remember-agent.lua`,
    find: "  if is_newcomer and live >= most then",
    replace: "  if is_newcomer and live < 0 then",
    caughtBy: memory("has a bound on namespaces with workers"),
  },
  {
    name: "a namespace that was left counts for ever",
    breaks: 9,
    file: `${LUA}remember-agent.lua`,
    find: 'redis.call("ZREMRANGEBYSCORE", live_namespaces_key, "-inf", now)\n',
    replace: "",
    caughtBy: memory("has a bound that counts those said within 3 min: 0 ms"),
  },
  {
    name: "an agent is known by a worker of seconds for ever",
    breaks: 9,
    file: `${LUA}list-agent.lua`,
    find: "  elseif ends > now then",
    replace: "  elseif ends > 0 then",
    caughtBy: memory("it is forgotten when its time is over, 0 ms after it"),
  },
  {
    name: "those that know an agent are without bound",
    breaks: 9,
    file: `${LUA}remember-agent.lua`,
    find: "    if surplus > 0 and may_go and",
    replace: "    if surplus < 0 and may_go and",
    caughtBy: memory("has a bound on those that know an agent"),
  },
  {
    name: "a namespace makes room although a worker came again",
    breaks: 1,
    file: `${LUA}drop-namespace.lua`,
    find: 'if redis.call("ZREM", empty_namespaces_key, namespace_name) == 0 then return { "kept" } end\n',
    replace: 'if redis.call("ZREM", empty_namespaces_key, namespace_name) < 0 then return { "kept" } end\n',
    caughtBy: memory("a namespace that was left makes room at once when somebody says that it is no more"),
  },
  {
    name: "a list that was being read when its agent was forgotten is remembered",
    breaks: 1,
    file: "services/api/src/known-namespaces.ts",
    find: " && timesForgotten === this.#timesForgotten",
    replace: "",
    caughtBy: {
      file: "services/api/test/many-namespaces.test.ts",
      test: "a list that was asked for before its agent was forgotten is not remembered",
    },
  },
  {
    name: "a pool is known by a worker of seconds for ever",
    breaks: 9,
    file: `${LUA}includes/forgetting.lua`,
    find: '  if not redis.call("ZSCORE", pools_key, pool) then redis.call("ZADD", brief_pools_key, now, pool) end\n',
    replace: "",
    caughtBy: memory("of a namespace's pools forgets one whose workers were there for seconds, 0 ms"),
  },
  {
    name: "a pool in which a job waits is forgotten",
    breaks: 1,
    file: `${LUA}includes/forgetting.lua`,
    find: '    elseif is_waited_for then redis.call("ZADD", brief_pools_key, now, pool)\n',
    replace: "    elseif is_waited_for then forget_pool(pool)\n",
    caughtBy: memory("of a namespace's pools keeps one where a worker stayed"),
  },
  {
    name: "names of agents fill a namespace",
    breaks: 9,
    file: `${LUA}includes/forgetting.lua`,
    find: "local MOST_LEFT, MOST_FORGOTTEN = 1000, 16\n",
    replace: "local MOST_LEFT, MOST_FORGOTTEN = 100000, 16\n",
    caughtBy: memory("of a namespace's pools is bounded"),
  },
  {
    name: "a worker is refused although work waits where it comes",
    breaks: 1,
    file: "services/gateway/src/agent-memory.ts",
    find: "    if (jobs + orders + sessions > 0) return;\n",
    replace: "    if (jobs + orders + sessions < 0) return;\n",
    caughtBy: {
      file: "services/gateway/test/gateway-namespaces.test.ts",
      test: "let one in where work waits",
    },
  },
  {
    name: "an order goes to however many namespaces",
    breaks: 9,
    file: "services/api/src/placement.ts",
    find: "    if (most === 0 || named <= most) return;\n",
    replace: "    if (most >= 0 || named <= most) return;\n",
    caughtBy: {
      file: "services/api/test/many-namespaces.test.ts",
      test: "one more, and it is refused by name",
    },
  },
  {
    name: "a load of nothing is believed whatever it holds",
    breaks: 8,
    file: `${LUA}includes/placing.lua`,
    find: '  if floor and policy.strategy ~= "pack" then\n',
    replace: '  if floor and policy.strategy == "none" then\n',
    caughtBy: weighed("takes its share of jobs, and no more"),
  },
  {
    name: "a load that does not fit fills the worker",
    breaks: 8,
    file: `${LUA}includes/placing.lua`,
    find: "    at.rank = math.min(1, math.max(at.load, tonumber(floor) + uncounted * tonumber(floor_cost)))\n",
    replace:
      "    at.load = math.min(1, math.max(at.load, tonumber(floor) + uncounted * tonumber(floor_cost)))\n    at.rank = at.load\n",
    caughtBy: weighed("is never kept from work by it"),
  },
  {
    name: "jobs that no load has seen yet are held against a worker",
    breaks: 8,
    file: `${LUA}includes/weighing.lua`,
    find: "local IN_LOAD_MS, LEAST_HELD, FITS = 2500, 3, 0.2\n",
    replace: "local IN_LOAD_MS, LEAST_HELD, FITS = 0, 3, 0.2\n",
    caughtBy: weighed("is not said of a fifth"),
  },
];
