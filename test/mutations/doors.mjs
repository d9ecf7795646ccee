/** Bugs of what attacks the doors and judges what came of it. See list.mjs. */

const verdict = (test) => ({ file: "test/doors/verdict.test.ts", test });
const JUDGE = "scripts/doors/verdict.ts";

export const DOORS = [
  {
    name: "honest workers that an attack cuts off are not counted",
    breaks: 0,
    file: JUDGE,
    find: "if (during.cut > 0)",
    replace: "if (during.cut < 0)",
    caughtBy: verdict("an honest socket that was cut is told"),
  },
  {
    name: "an attack may lose honest orders",
    breaks: 0,
    file: JUDGE,
    find: "...(lost > 0 ?",
    replace: "...(lost < 0 ?",
    caughtBy: verdict("an order that was lost is told"),
  },
  {
    name: "an attack may make honest orders ten times slower",
    breaks: 0,
    file: JUDGE,
    find: "const TIMES_SLOWER = 5;",
    replace: "const TIMES_SLOWER = 10;",
    caughtBy: verdict("a p99 above five times that of before is told"),
  },
  {
    name: "what a refused input leaves in Redis is looked for in names of keys alone",
    breaks: 0,
    file: "scripts/doors/traces.ts",
    find: "if (!isKnown || key.includes(MARK) || (await contentOf(redis, key)).includes(MARK)) traces.push(key);",
    replace: "if (!isKnown || key.includes(MARK)) traces.push(key);",
    caughtBy: verdict("are not honest by their kind, their name, or what they hold"),
  },
];
