/** Bugs of the api's door: grants before bodies, bytes and time of bodies, shares of what all have together. See list.mjs. */

const SRC = "services/api/src/";
const grants = (test) => ({ file: "services/api/test/door-grants.test.ts", test });
const bodies = (test) => ({ file: "services/api/test/door-bodies.test.ts", test });
const proxy = (test) => ({ file: "services/api/test/livekit-proxy-shares.test.ts", test });
const shares = (test) => ({ file: "services/api/test/listener-shares.test.ts", test });
const keys = (test) => ({ file: "services/api/test/order-keys.test.ts", test });

export const API_DOOR = [
  {
    name: "a Twirp call without the grant has its body read",
    breaks: 10,
    file: `${SRC}twirp/twirp-service.ts`,
    find: "      requireSomeDispatchGrant(caller);\n",
    replace: "",
    also: [
      {
        find: "import { type ApiKeys, authenticate, callerName, requireSomeDispatchGrant }",
        replace: "import { type ApiKeys, authenticate, callerName }",
      },
    ],
    caughtBy: grants("CreateDispatch refuses before the body whoever administers no room"),
  },
  {
    name: "a route of REST asks for its grant behind the body",
    breaks: 10,
    file: `${SRC}rest/route-grants.ts`,
    find: '  if (grant !== "none") CHECKS[grant](caller);',
    replace: '  if (grant === "create_room") CHECKS[grant](caller);',
    caughtBy: grants("each operation of REST refuses before the body whoever has less than its grant"),
  },
  {
    name: "what is no route has its body read",
    breaks: 10,
    file: `${SRC}rest/body-bound.ts`,
    find: "if (route === undefined) return await c.notFound();",
    replace: "if (route === undefined) return await next();",
    caughtBy: grants("what is no route has no body read"),
  },
  {
    name: "one caller's bodies have no share",
    breaks: 10,
    file: `${SRC}bodies.ts`,
    find: "Math.floor(this.#all.most * SHARE[kind])",
    replace: "Math.floor(this.#all.most / SHARE[kind])",
    caughtBy: bodies("bodies that do not end: one caller has a share"),
  },
  {
    name: "bodies are not given back",
    breaks: 10,
    file: `${SRC}bodies.ts`,
    find: "      this.#give(caller, taken);",
    replace: "      if (taken < 0) this.#give(caller, taken);",
    caughtBy: bodies("bodies that do not end: one caller has a share"),
  },
  {
    name: "a body may take for ever",
    breaks: 10,
    file: `${SRC}bodies.ts`,
    find: "() => reject(tooSlow(policy.bodyMs))",
    replace: "() => void tooSlow(policy.bodyMs) ?? reject",
    caughtBy: bodies("bodies whose bytes come one by one"),
  },
  {
    name: "LiveKit is called for who has no token",
    breaks: 10,
    file: `${SRC}proxy/foreign-caller.ts`,
    find: 'if (request.method === "OPTIONS") return PREFLIGHT;',
    replace: 'if (request.method !== "") return PREFLIGHT;',
    caughtBy: proxy("a call needs a token that is signed"),
  },
  {
    name: "one caller's calls take all the places at LiveKit",
    breaks: 10,
    file: `${SRC}proxy/caller-lines.ts`,
    find: "if (candidate.calls >= candidate.most) continue;",
    replace: "if (candidate.calls > this.#deps.most) continue;",
    also: [
      {
        find: "this.#calls >= this.#deps.most || line.calls >= line.most)",
        replace: "this.#calls >= this.#deps.most)",
      },
    ],
    caughtBy: proxy("one caller's calls that last are its own"),
  },
  {
    name: "a caller that has gone keeps its place in the line",
    breaks: 10,
    file: `${SRC}proxy/caller-lines.ts`,
    find: "line.waiting.splice(line.waiting.indexOf(turn), 1);",
    replace: "",
    caughtBy: proxy("a caller that has gone leaves its line"),
  },
  {
    name: "an answer that nobody reads holds its connection for ever",
    breaks: 10,
    file: `${SRC}proxy/upstream-answer.ts`,
    find: 'answer.destroy(new Error("the answer came to a stand"))',
    replace: 'void new Error("the answer came to a stand")',
    caughtBy: proxy("an answer that nobody reads is cut"),
  },
  {
    name: "one token takes all the live streams",
    breaks: 10,
    file: `${SRC}events/listener-shares.ts`,
    find: "oldestOwn !== undefined && own.length >= eventStreamsPerToken",
    replace: "oldestOwn !== undefined && own.length >= eventStreams",
    caughtBy: shares("beyond its token's share takes the place of its own oldest"),
  },
  {
    name: "a stream is sent away for another that has as few",
    breaks: 10,
    file: `${SRC}events/listener-shares.ts`,
    find: "isGreedy ? 1 : own.length + 2",
    replace: "isGreedy ? 1 : own.length + 1",
    caughtBy: shares("is not sent away for another, with a token for each"),
  },
  {
    name: "an idempotency key is every API key's",
    breaks: 3,
    file: `${SRC}order-ids.ts`,
    find: 'digest(["idempotency-key", project, repeat.apiKey, repeat.value])',
    replace: 'digest(["idempotency-key", project, repeat.value])',
    caughtBy: keys("a key is its API key's own"),
  },
  {
    name: "a key that an earlier version took is not known any more",
    breaks: 3,
    file: `${SRC}accept-order.ts`,
    find: "former !== undefined && (await placement.isRepeat(order, former))",
    replace: "former !== undefined && (await placement.isRepeat(order, former)) && order.room === former",
    caughtBy: keys("a call that an earlier version took"),
  },
  {
    name: "names with the separator in them share an id",
    breaks: 3,
    file: `${SRC}order-ids.ts`,
    find: "parts.every((part) => !part.includes(SEPARATOR))",
    replace: "parts.length > 0",
    caughtBy: keys("names that have the separator of parts in them are told apart"),
  },
  {
    name: "a rule of a longer prefix is passed over",
    breaks: 1,
    file: `${SRC}rules/rule-index.ts`,
    find: "length > name.length ? []",
    replace: "length >= name.length ? []",
    caughtBy: {
      file: "services/api/test/rule-index.test.ts",
      test: "the same orders in the same order as a look at all of them",
    },
  },
  {
    name: "a full Redis is one that cannot be reached",
    breaks: 0,
    file: "shared/runtime/src/redis/full.ts",
    find: "OOM command not allowed/",
    replace: "OOM command is not allowed/",
    caughtBy: {
      file: "services/api/test/redis-full.test.ts",
      test: "a full Redis: calls and readiness say so",
    },
  },
  {
    name: "a brace in a room's name leads into another room",
    breaks: 9,
    file: "shared/ledger/src/keys.ts",
    find: 'const isPlain = !room.includes("}");',
    replace: "const isPlain = room.length > 0;",
    caughtBy: [{ file: "shared/ledger/test/room-names.test.ts", test: "a script's tag is the room's own" }],
  },
];
