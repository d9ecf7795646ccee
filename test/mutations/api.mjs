/** Bugs of the api: repeated calls, steps of the intake, bounds, grants. See list.mjs. */

const SRC = "services/api/src/";
const intake = (test) => ({ file: "services/api/test/order-intake.test.ts", test });
const refusals = (test) => ({ file: "services/api/test/dispatch-refusals.test.ts", test });
const calls = (test) => ({ file: "services/api/test/dispatch-calls.test.ts", test });
const rest = (test) => ({ file: "services/api/test/rest.test.ts", test });

export const API = [
  {
    name: "the request id is ignored: a repeated call dispatches twice",
    breaks: 3,
    file: `${SRC}order-ids.ts`,
    find: 'return idFrom("order", digest([project, room, agent, deployment, repeat.value]));',
    replace: 'return idFrom("order", randomBytes(RANDOM_BYTES));',
    caughtBy: intake("the same request id twice is one order"),
  },
  {
    name: "one request id for two rooms makes one dispatch",
    breaks: 3,
    file: `${SRC}order-ids.ts`,
    find: "digest([project, room, agent, deployment, repeat.value])",
    replace: "digest([project, agent, deployment, repeat.value])",
    caughtBy: intake("another request id, room, agent or deployment is another order"),
  },
  {
    name: "a key stands for whatever is asked under it",
    breaks: 3,
    file: `${SRC}same-order.ts`,
    find: "if (earlier === undefined || earlier === asked) continue;",
    replace: "if (earlier === undefined || earlier !== order.id) continue;",
    caughtBy: {
      file: "services/api/test/order-keys.test.ts",
      test: "the same key with another body (room) is refused",
    },
  },
  {
    name: "a repeat does not put a lost queue entry back",
    breaks: 1,
    file: `${SRC}accept-order.ts`,
    find: "wantingEntry(order, newJobs) : created.queued;",
    replace: "wantingEntry(order, newJobs) : [];",
    caughtBy: intake("a repeat puts a lost queue entry back"),
  },
  {
    name: "an order is answered before its queue entry is written",
    breaks: 1,
    file: `${SRC}accept-order.ts`,
    find: "await Promise.all([\n      enqueue.add(",
    replace: "void Promise.all([\n      enqueue.add(",
    caughtBy: intake("broken off after add (1), the repeat of an order for an unknown agent"),
  },
  {
    name: "the order is written before the namespace is in the due index",
    breaks: 4,
    file: `${SRC}until-indexed.ts`,
    find: `    await dueIndex.markDue(namespace);
    rests`,
    replace: "    rests",
    caughtBy: intake("broken off before the queue entry, the order is found by the index"),
  },
  {
    name: "a repeat goes where workers are now, not where the first call went",
    breaks: 3,
    file: `${SRC}placement.ts`,
    find: "order.namespace !== undefined || earlier.length === 0 ? chosen : earlier;",
    replace: "order.namespace !== undefined || earlier.length >= 0 ? chosen : earlier;",
    caughtBy: intake("a repeat goes where the first call went"),
  },
  {
    name: "that nobody knows an agent is remembered",
    breaks: 1,
    file: `${SRC}known-namespaces.ts`,
    find: "if (namespaces.length > 0) this",
    replace: "if (namespaces.length >= 0) this",
    caughtBy: intake("the first worker of an agent is seen by the very next order"),
  },
  {
    name: "an order with many jobs is deleted by half",
    breaks: 1,
    file: `${SRC}withdraw-order.ts`,
    find: "if (reply.more === 0) return;",
    replace: "if (reply.more <= 1) return;",
    caughtBy: calls("an order with more jobs than one script ends is deleted whole"),
  },
  {
    name: "a deleted order's worker is not told",
    breaks: 2,
    file: `${SRC}withdraw-order.ts`,
    find: "for (const stop of Object.values(reply.stops)) hints",
    replace: "for (const stop of Object.values(reply.stops).slice(1)) hints",
    caughtBy: calls("deleting tells the gateway of the worker to stop"),
  },
  {
    name: "a room's name may have any length",
    breaks: 10,
    file: `${SRC}order-request.ts`,
    find: "  if (bytes > maxBytes) {",
    replace: "  if (bytes > maxBytes * 2) {",
    caughtBy: refusals("refuses a room that is too long"),
  },
  {
    name: "a refusal does not name its field",
    breaks: 10,
    file: `${SRC}order-request.ts`,
    find: 'throw new DispatchError("invalid_argument", problem, "deployment")',
    replace: 'throw new DispatchError("invalid_argument", problem)',
    caughtBy: refusals("refuses a deployment with an underscore"),
  },
  {
    name: "a body may be of any size when it does not say which",
    breaks: 10,
    file: `${SRC}request-body.ts`,
    find: "    if (bytes > maxBytes) {",
    replace: "    if (bytes > maxBytes * 2) {",
    caughtBy: {
      file: "services/api/test/request-body.test.ts",
      test: "a body without an end is refused as soon as it is too large",
    },
  },
  {
    name: "a grant for one room dispatches into another",
    breaks: 10,
    file: `${SRC}auth.ts`,
    find: "if (claims.video.room !== room) {",
    replace: "if (claims.video.room === undefined) {",
    caughtBy: refusals("refuses the grant for another room"),
  },
  {
    name: "reading is enough of a grant to terminate",
    breaks: 10,
    file: `${SRC}auth.ts`,
    find: "if (!roomAdmin) throw",
    replace: "if (roomAdmin === undefined) throw",
    caughtBy: rest("who may terminates, and what is missing is named"),
  },
  {
    name: "a query names any project's namespace",
    breaks: 9,
    file: `${SRC}rest/context.ts`,
    find: "return namespaceName(caller.project, query.namespace);",
    replace: 'return namespaceName(query.namespace || caller.project, "");',
    caughtBy: rest("namespaces are apart"),
  },
  {
    name: "an order of another room is found by its id",
    breaks: 9,
    file: "shared/ledger/lua/list-room-orders.lua",
    find: "if order and order.room == room then",
    replace: "if order and room then",
    caughtBy: refusals("ids are checked, and one of another room is not found"),
  },
];
