/** Bugs that show only where two versions share one Redis. See list.mjs. */

const claims = (test) => ({ file: "shared/actor/test/build-claims.test.ts", test });
const CLAIM = "shared/actor/lua/claim-build.lua";

export const VERSIONS = [
  {
    name: "a build starts beside one that it cannot live with",
    breaks: 10,
    file: CLAIM,
    find: 'if clash and not holds then reply[1] = "beside" end',
    replace: "",
    caughtBy: claims("two releases at once are refused while the old one runs"),
  },
  {
    name: "a build starts on what is beyond it, when nobody runs",
    breaks: 10,
    file: CLAIM,
    find: "if oldest > writes then",
    replace: "if oldest > writes + 100 then",
    caughtBy: claims("one step back is taken for as long as nobody went two ahead"),
  },
  {
    name: "a refused build has made the others too old",
    breaks: 10,
    file: CLAIM,
    find: 'if reply[1] == "claimed" then',
    replace: 'if reply[1] ~= "older" then',
    caughtBy: claims("two releases at once are refused while the old one runs"),
  },
  {
    name: "builds that claim nothing are overlooked",
    breaks: 10,
    file: CLAIM,
    find: "for at, key in ipairs({ claims, KEYS[4], KEYS[5] }) do",
    replace: "for at, key in ipairs({ claims, claims, claims }) do",
    caughtBy: claims("a node with a lease and no claim is of schema 1"),
  },
  {
    name: "a Redis that was emptied is not told again which schema it is of",
    breaks: 5,
    file: "shared/actor/src/build-claim.ts",
    find: "      this.#renewing = this.#ask(true)\n",
    replace:
      '      this.#renewing = Promise.resolve({ status: "claimed", oldest: 1, newest: 1, neighbours: [] } as ClaimReply)\n',
    caughtBy: claims("are said anew to a Redis that was emptied"),
  },
  {
    name: "an offer with a field of a later version is refused",
    breaks: 10,
    file: "services/gateway/src/gateway-message.ts",
    find: "const offer: z.ZodType<OfferMessage> = z.object({",
    replace: "const offer: z.ZodType<OfferMessage> = z.strictObject({",
    caughtBy: {
      file: "services/gateway/test/other-versions.test.ts",
      test: "a later dispatcher sends fields that are passed over",
    },
  },
  {
    name: "an offer without a field that only later versions send is refused",
    breaks: 10,
    file: "services/gateway/src/gateway-message.ts",
    find: "  offeredAtMs: whole,\n",
    replace: "  offeredAtMs: whole,\n  shard: whole,\n",
    caughtBy: {
      file: "services/gateway/test/other-versions.test.ts",
      test: "sends a message of the kind offer that is read",
    },
  },
  {
    name: "a timer of a later version holds up those behind it",
    breaks: 4,
    file: "services/dispatcher/src/deadlines.ts",
    find: '        this.#deps.odd.note("timer", word);\n        continue;',
    replace: '        throw new Error("a timer of an unknown kind");',
    caughtBy: {
      file: "services/dispatcher/test/other-versions.test.ts",
      test: "set timers of kinds that stay where they are",
    },
  },
  {
    name: "many timers of a later version hide those behind them",
    breaks: 4,
    file: "services/dispatcher/src/deadlines.ts",
    find: "const limit = BATCH + Math.min(this.#unknown, MOST_UNKNOWN);",
    replace: "const limit = BATCH;",
    caughtBy: {
      file: "services/dispatcher/test/other-versions.test.ts",
      test: "set timers of kinds that stay where they are",
    },
  },
  {
    name: "a drain of a later version holds whoever its words happen to fit",
    breaks: 6,
    file: "shared/ledger/lua/includes/draining.lua",
    find: 'drain.kind == "deployment" and drain.agent == facts.agent',
    replace: "drain.agent == facts.agent",
    caughtBy: {
      file: "shared/ledger/test/drains.test.ts",
      test: "single Redis of a kind that only a later version has hold nobody",
    },
  },
  {
    name: "an event of an earlier version lacks what it did not know",
    breaks: 10,
    file: "shared/domain/src/job-event.ts",
    find: "? { ...NOTHING, ...kept }",
    replace: "? ({ ...kept } as JobEvent)",
    caughtBy: {
      file: "shared/domain/test/job-event.test.ts",
      test: "of a version that did not know a field has it empty",
    },
  },
  {
    name: "an order whose target a later version narrowed is for everybody",
    breaks: 10,
    file: "shared/domain/src/target.ts",
    find: "return Object.keys(target).every((name) => known.includes(name)) ? target : undefined;",
    replace: "void known;\n    return target;",
    caughtBy: {
      file: "shared/domain/test/target.test.ts",
      test: "a target that narrows by what is not known here",
    },
  },
  {
    name: "a rule with a condition of a later version holds for every room",
    breaks: 10,
    file: "services/api/src/rules/read-stored.ts",
    find: 'const NARROWS: readonly PropertyKey[] = ["when", "target"];',
    replace: "const NARROWS: readonly PropertyKey[] = [];",
    caughtBy: {
      file: "services/api/test/stored-definitions.test.ts",
      test: "is not read when it has a condition beyond us",
    },
  },
];
