/** Bugs of the gateway about sockets, sessions and leases: who gets in, what is believed, what a gap means. See list.mjs. */

const SRC = "services/gateway/src/";
const leases = (test) => ({ file: "services/gateway/test/gateway-leases.test.ts", test });
const goodbye = (test) => ({
  file: "services/gateway/test/gateway-goodbye.test.ts",
  test: `a socket that ends, on uws ${test}`,
});
const refusals = (test) => ({
  file: "services/gateway/test/gateway-refusals.test.ts",
  test: `refusals on uws closes on ${test}`,
});
const authentication = (test) => ({
  file: "services/gateway/test/gateway-authentication.test.ts",
  test: `authentication on uws refuses ${test}`,
});
const address = (test) => ({
  file: "services/gateway/test/client-address.test.ts",
  test: `a worker's address with ${test}`,
});
const load = (test) => ({ file: "services/gateway/test/gateway-load.test.ts", test });

export const GATEWAY_SESSIONS = [
  {
    name: "the first job of a Python worker is waited for like that of one that never reports",
    breaks: 1,
    file: `${SRC}authenticate.ts`,
    find: "return /\\baiohttp\\//.test(",
    replace: "return /^never$/.test(",
    caughtBy: {
      file: "services/gateway/test/gateway-authentication.test.ts",
      test: "authentication on uws knows by its User-Agent",
    },
  },
  {
    name: "a worker registers without the grant of an agent",
    breaks: 10,
    file: `${SRC}authenticate.ts`,
    find: "if (!claims.video.agent) return",
    replace: "if (claims.apiKey === undefined) return",
    caughtBy: authentication("no agent grant"),
  },
  {
    name: "a worker registers without a token",
    breaks: 10,
    file: `${SRC}authenticate.ts`,
    find: '    return refuse("no_token", "token: send one as Authorization: Bearer, or as ?access_token=");',
    replace:
      '    return { accept: true, context: { apiKey: "devkey", project: projectOfKey("devkey"), protocol: 1, clientIp: request.remoteAddress } };',
    caughtBy: authentication("no token"),
  },
  {
    name: "any stranger's X-Forwarded-For is believed",
    breaks: 10,
    file: `${SRC}client-address.ts`,
    find: "if (next === undefined || !isTrusted(nearest, trusted)) return nearest;",
    replace: 'if (next === undefined || (nearest === "" && !isTrusted(nearest, trusted))) return nearest;',
    caughtBy: address("a stranger who says to be another"),
  },
  {
    name: "what a stranger wrote before our proxy's word is a worker's address",
    breaks: 10,
    file: `${SRC}client-address.ts`,
    find: '.split(",").reverse()) {',
    replace: '.split(",")) {',
    caughtBy: address("a stranger's word before a proxy of ours"),
  },
  {
    name: "the signature of a token is not checked",
    breaks: 10,
    file: "shared/wire/src/jwt.ts",
    find: "return actual.length === expected.length && timingSafeEqual(actual, expected);",
    replace: "return actual.length === expected.length || timingSafeEqual(actual, expected);",
    caughtBy: authentication("another secret"),
  },
  {
    name: "a token never expires",
    breaks: 10,
    file: "shared/wire/src/access-token.ts",
    find: "if (nowMs >= expiresAtMs + LEEWAY_MS)",
    replace: "if (nowMs >= expiresAtMs * 1000)",
    caughtBy: authentication("an expired token"),
  },
  {
    name: "a namespace's name may part keys",
    breaks: 9,
    file: "shared/domain/src/namespace.ts",
    find: "/^[A-Za-z0-9._-]{1,64}$/",
    replace: "/^[A-Za-z0-9._:-]{1,64}$/",
    caughtBy: refusals("a namespace that would part keys"),
  },
  {
    name: "a worker's namespace field names any project's namespace",
    breaks: 9,
    file: `${SRC}registration.ts`,
    find: "namespace: namespaceName(context.project, field),",
    replace: "namespace: namespaceName(field, ''),",
    caughtBy: {
      file: "services/gateway/test/gateway-registration.test.ts",
      test: "answers with an id and what a livekit-server says of itself",
    },
  },
  {
    name: "a name of any length is registered",
    breaks: 10,
    file: `${SRC}registration.ts`,
    find: "if (Buffer.byteLength(text) > maxBytes) throw",
    replace: "if (Buffer.byteLength(text) > maxBytes * 2) throw",
    caughtBy: refusals("an agent name that is too long"),
  },
  {
    name: "a migration may name any number of jobs",
    breaks: 10,
    file: `${SRC}messages/migrate-job.ts`,
    find: "if (jobIds.length > MAX_MIGRATED_JOBS) throw",
    replace: "if (jobIds.length > MAX_MIGRATED_JOBS * 2) throw",
    caughtBy: refusals("a migration of too many jobs"),
  },
  {
    name: "a second register breaks the session instead of being refused",
    breaks: 10,
    file: `${SRC}messages/register.ts`,
    find: "if (session.registration !== undefined) {",
    replace: "if (session.registration === null) {",
    caughtBy: refusals("a second register"),
  },
  {
    name: "a load that is no number is taken for one",
    breaks: 10,
    file: `${SRC}load-sample.ts`,
    find: '  if (!Number.isFinite(load)) return "not_finite";\n',
    replace: "",
    caughtBy: load("what a report says refuses the load NaN"),
  },
  {
    name: "a negative load makes a worker the emptiest of all",
    breaks: 10,
    file: `${SRC}load-sample.ts`,
    find: 'return load < 0 ? "negative" : undefined;',
    replace: "return undefined;",
    caughtBy: load("what a report says refuses the load -0.1"),
  },
  {
    name: "a drain's FULL is taken for a load of nothing",
    breaks: 6,
    file: `${SRC}load-sample.ts`,
    find: "isRefused || (state.draining && !state.saysDrain) ? NO_LOAD",
    replace: "isRefused ? NO_LOAD",
    caughtBy: load("takes FULL with load 0 for a drain and not for a load"),
  },
  {
    name: "Node's stale AVAILABLE ends its drain",
    breaks: 6,
    file: `${SRC}load-sample.ts`,
    find: "nowMs - before.drainToldAtMs >= STALE_AVAILABLE_MS",
    replace: "nowMs - before.drainToldAtMs >= 0",
    caughtBy: load("stays with a drain over Node's stale AVAILABLE"),
  },
  {
    name: "a change to FULL waits for the next batch",
    breaks: 6,
    file: `${SRC}messages/update-worker.ts`,
    find: "samples.add(registration.namespace, told, isUrgent);",
    replace: "samples.add(registration.namespace, told, isUrgent && false);",
    caughtBy: load("writes a change between available and full at once"),
  },
  {
    name: "a worker's goodbye is believed although it did not drain",
    breaks: 2,
    file: `${SRC}sockets.ts`,
    find: "const goodbye = clean && session.worker.draining;",
    replace: "const goodbye = clean;",
    caughtBy: goodbye("with 1000 by a worker that did not drain"),
  },
  {
    name: "a cut socket counts as goodbye",
    breaks: 2,
    file: `${SRC}sockets.ts`,
    find: "return session.closedAs === undefined && CLEAN_CODES.includes(code);",
    replace: "return session.closedAs === undefined && (code > 0 || CLEAN_CODES.includes(code));",
    caughtBy: goodbye("cut, of a worker that drained"),
  },
  {
    name: "our own closing counts as the worker's goodbye",
    breaks: 2,
    file: `${SRC}sockets.ts`,
    find: "return session.closedAs === undefined && CLEAN_CODES.includes(code);",
    replace: "return CLEAN_CODES.includes(code);",
    caughtBy: goodbye("because the gateway stops"),
  },
  {
    name: "what a worker said before its socket closed is lost",
    breaks: 1,
    file: `${SRC}sockets.ts`,
    find: "Promise.all([session.settled(), assignments.settled(session)])",
    replace: "Promise.all([assignments.settled(session)])",
    caughtBy: {
      file: "services/gateway/test/gateway-jobs.test.ts",
      test: "counts what a worker said before its socket closed",
    },
  },
  {
    name: "a gateway ignores that its lease has ended",
    breaks: 5,
    file: `${SRC}lease.ts`,
    find: "lease !== undefined && lease.writtenIn === generation() && clock.now() - lease.renewedAtMs < leaseMs",
    replace:
      "lease !== undefined && lease.writtenIn === generation() && clock.now() - lease.renewedAtMs >= 0 * leaseMs",
    caughtBy: leases("makes no offer while its lease is in doubt"),
  },
  {
    name: "a newcomer lengthens a lease that lapsed",
    breaks: 5,
    file: `${SRC}messages/register.ts`,
    find: "  await deps.leases.confirm(registration.namespace);\n",
    replace: "",
    caughtBy: leases("asserts its other sessions before a newcomer lengthens a lease"),
  },
  {
    name: "a session that a lapse swept is closed instead of registered again",
    breaks: 5,
    file: `${SRC}samples.ts`,
    find: 'if (outcome === "registered_again") return;',
    replace: 'if (outcome === "never") return;',
    caughtBy: leases("does not close what a lapse swept"),
  },
  {
    name: "a gateway does not notice another life of Redis",
    breaks: 5,
    file: `${SRC}lease.ts`,
    find: "const isAnother = lease !== undefined && lease.writtenIn !== generation;",
    replace: "const isAnother = lease === undefined && generation === undefined;",
    caughtBy: {
      file: "services/gateway/test/gateway-restore.test.ts",
      test: "has again what a Redis lost that was set back a little",
    },
  },
  {
    name: "a namespace is woken before it is in the due index",
    breaks: 4,
    file: `${SRC}session-records.ts`,
    find: "      await dueIndex.markDue(namespace);\n",
    replace: "",
    caughtBy: {
      file: "services/gateway/test/gateway-registration.test.ts",
      test: "lists a namespace at rest in the due index before it wakes it",
    },
  },
];
