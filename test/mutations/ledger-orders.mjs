/** Bugs of the ledger about orders, timers, rest and namespaces. See list.mjs. */

const LUA = "shared/ledger/lua/";
const orders = (test) => ({ file: "shared/ledger/test/orders.test.ts", test: `single Redis ${test}` });
const neverOpen = (test) => ({
  file: "shared/ledger/test/rooms-that-never-open.test.ts",
  test: `single Redis ${test}`,
});
const resting = (test) => ({ file: "shared/ledger/test/resting.test.ts", test: `single Redis ${test}` });

const onePerRoom = (test) => ({
  file: "shared/ledger/test/one-per-room.test.ts",
  test: `single Redis ${test}`,
});

export const LEDGER_ORDERS = [
  {
    name: "an order is merged into one that has ended",
    breaks: 12,
    file: `${LUA}create-order.lua`,
    find: 'if state == "live" and agent == facts.agent and target',
    replace: "if agent == facts.agent and target",
    caughtBy: onePerRoom("one that has ended does not count"),
  },
  {
    name: "a merged call that is repeated makes an order",
    breaks: 3,
    file: `${LUA}create-order.lua`,
    find: '      redis.call("HSET", merged_of(order), "into", into, "asked", asked)\n',
    replace: '      redis.call("EXISTS", merged_of(order))\n',
    caughtBy: onePerRoom("a repeat is answered the same when the first has ended meanwhile"),
  },
  {
    name: "an order of the next life is merged into that of the last",
    breaks: 12,
    file: `${LUA}create-order.lua`,
    find: 'target == "room" and is_same_life then',
    replace: 'target == "room" then',
    caughtBy: onePerRoom("an order for another life of the room is made"),
  },
  {
    name: "an order is created again by each repeat",
    breaks: 3,
    file: `${LUA}create-order.lua`,
    find: "if known then",
    replace: 'if known == "never" then',
    caughtBy: orders("ten racers create one order"),
  },
  {
    name: "a job without a guard timer",
    breaks: 1,
    file: `${LUA}includes/queueing.lua`,
    find: '  set_timer("job|" .. id, now + guard_ms)\n',
    replace: "",
    caughtBy: orders("an order is created once"),
  },
  {
    name: "a job of a deleted order is placed all the same",
    breaks: 1,
    file: `${LUA}includes/claiming.lua`,
    find: 'if not order or order.state ~= "live" then return nil end',
    replace: "if not order then return nil end",
    caughtBy: orders("an order with many jobs is deleted by repeating the call"),
  },
  {
    name: "a deletion that is not done says that it is",
    breaks: 1,
    file: `${LUA}delete-order.lua`,
    find: "left > 0 and 1 or 0",
    replace: "left < 0 and 1 or 0",
    caughtBy: orders("an order with many jobs is deleted by repeating the call"),
  },
  {
    name: "an order outlives the last of its jobs",
    breaks: 1,
    file: `${LUA}includes/ending.lua`,
    find: 'if redis.call("ZCOUNT", order_jobs_of(id), 0, 0) == 0 then',
    replace: 'if redis.call("ZCOUNT", order_jobs_of(id), 0, 0) < 0 then',
    caughtBy: orders("an order for the room ends with the last of its jobs"),
  },
  {
    name: "what ended is forgotten at once",
    breaks: 7,
    file: `${LUA}sweep-ended.lua`,
    find: "local before = now - retain_ms\n",
    replace: "local before = now\n",
    caughtBy: orders("what ended is forgotten after its time"),
  },
  {
    name: "a job that waited too long waits on",
    breaks: 1,
    file: `${LUA}admit.lua`,
    find: "if now >= tonumber(record.wait_until) then",
    replace: "if now >= tonumber(record.wait_until) * 2 then",
    caughtBy: {
      file: "shared/ledger/test/offers.test.ts",
      test: "single Redis admitted 0 ms from the end of its waiting time",
    },
  },
  {
    name: "an order for participants waits for its room for good",
    breaks: 1,
    file: `${LUA}create-order.lua`,
    find: "if facts.open then await_room(order) end\n",
    replace: "",
    caughtBy: neverOpen("an order looked at 0 ms from the end of its wait"),
  },
  {
    name: "an order that a life of its room left unserved waits for good",
    breaks: 1,
    file: `${LUA}end-room-order.lua`,
    find: '  await_room(order)\n  return { "kept", serve }',
    replace: '  return { "kept", serve }',
    caughtBy: neverOpen("left to the room's next life"),
  },
  {
    name: "an order whose room opened expires all the same",
    breaks: 1,
    file: `${LUA}includes/awaiting.lua`,
    find: 'if state ~= "live" or open ~= "1" or is_held or bound_to then return nil end',
    replace: 'if state ~= "live" or open ~= "1" or is_held then return nil end',
    caughtBy: neverOpen("bound to a life of its room it has no end of its own"),
  },
  {
    name: "a wait for a room that got shorter is not moved forward in a namespace at rest",
    breaks: 4,
    file: `${LUA}change-order.lua`,
    find: "if moves_timer and must_index(rests) then",
    replace: "if moves_timer and not must_index(rests) and false then",
    caughtBy: neverOpen("a namespace rests meanwhile"),
  },
  {
    name: "a namespace rests while its queue holds an entry",
    breaks: 4,
    file: `${LUA}rest.lua`,
    find: "local is_queue_used = queued > 0 or",
    replace: "local is_queue_used = queued < 0 and",
    caughtBy: resting("a namespace whose queue holds an entry does not rest"),
  },
  {
    name: "a namespace rests while it has a live job",
    breaks: 4,
    file: `${LUA}rest.lua`,
    find: 'local is_used = redis.call("ZCARD", jobs_key) > redis.call("ZCARD", held_key) or',
    replace: 'local is_used = redis.call("ZCARD", jobs_key) < redis.call("ZCARD", held_key) or',
    caughtBy: resting("a namespace with a session or a live job does not rest"),
  },
  {
    name: "an index entry of before the last rest counts",
    breaks: 4,
    file: `${LUA}includes/waking.lua`,
    find: "return not is_awake and tonumber(rests) ~= tonumber(",
    replace: "return not is_awake and tonumber(rests) < 0 * tonumber(",
    caughtBy: resting("an index entry written before the namespace went to rest does not count"),
  },
  {
    name: "a timer that is due is listed one call too late",
    breaks: 4,
    file: `${LUA}list-due.lua`,
    find: '"-inf", now, "LIMIT"',
    replace: '"-inf", "(" .. now, "LIMIT"',
    caughtBy: resting("due timers are listed up to now"),
  },
  {
    name: "a script runs on a slot that is half moved",
    breaks: 3,
    file: "shared/ledger/scripts/link-script.mjs",
    find: "  lines.push(WHOLE_SLOT);\n",
    replace: "",
    caughtBy: {
      file: "shared/ledger/test/generator.test.ts",
      test: "every script first makes sure that its slot is whole",
    },
  },
  {
    name: "all namespaces under one tag",
    breaks: 9,
    file: "shared/ledger/src/keys.ts",
    find: "export function namespaceTag(namespace: string): string {\n",
    replace:
      'export function namespaceTag(name: string): string {\n  const [namespace] = name.split(":", 1);\n',
    caughtBy: { file: "services/api/test/rest.test.ts", test: "namespaces are apart" },
  },
];
