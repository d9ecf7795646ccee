/** Imports run one way, and each infrastructure package has one home. ARCHITECTURE.md says why. */

const only = (name, module, homes, comment) => ({
  name,
  comment,
  severity: "error",
  from: { pathNot: [...homes, "^(test|[a-z]+/[a-z]+/test)/"] },
  to: { path: `node_modules/${module}(/|$)` },
});

const direction = (room, allowed) => ({
  name: `${room}-imports`,
  severity: "error",
  from: { path: `^${room}/src/` },
  to: {
    path: "^(shared|services|test|proto)/",
    // A room with all that is in it, or one file.
    pathNot: [`^${room}/`, ...allowed.map((other) => (other.endsWith(".ts") ? `^${other}$` : `^${other}/`))],
  },
});

const shared = [
  "shared/domain",
  "shared/wire",
  "shared/runtime",
  "shared/ledger",
  "shared/actor",
  "shared/livekit",
];

/** What services say of their settings, and what tells whether they could start here. Nothing that runs. */
const cliMayRead = [
  "services/gateway/src/config.ts",
  "services/gateway/src/transport/listen-error.ts",
  "services/gateway/src/transport/uws-native.ts",
  "services/dispatcher/src/config.ts",
  "services/api/src/config.ts",
  "services/standalone/src/config.ts",
];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    direction("shared/domain", []),
    direction("shared/wire", ["shared/domain"]),
    direction("shared/runtime", ["shared/domain"]),
    direction("shared/ledger", ["shared/domain", "shared/runtime"]),
    direction("shared/actor", ["shared/domain", "shared/runtime", "shared/wire"]),
    direction("shared/livekit", ["shared/domain", "shared/runtime", "shared/wire"]),
    direction("services/gateway", shared),
    direction("services/dispatcher", shared),
    direction("services/api", shared),
    direction("services/standalone", [...shared, "services/gateway", "services/dispatcher", "services/api"]),
    direction("services/cli", [...shared, ...cliMayRead]),
    only(
      "ioredis-home",
      "ioredis",
      ["^shared/runtime/src/redis/", "^shared/runtime/src/queue/"],
      "one place knows how to reach Redis",
    ),
    only("bullmq-home", "bullmq", ["^shared/runtime/src/queue/"], "the queue is one room"),
    only("pino-home", "pino", ["^shared/runtime/src/log.ts$"], "one log"),
    only("prom-home", "prom-client", ["^shared/runtime/src/metrics"], "one file of metric names"),
    only("protobufjs-home", "protobufjs", ["^shared/wire/"], "the wire is one room"),
    only("uws-home", "uWebSockets.js", ["^services/gateway/src/transport/"], "sockets have one port"),
    only("ws-home", "ws", ["^services/gateway/src/transport/"], "sockets have one port"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(/dist/|/generated/)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["muster-source", "types", "import", "default"],
      extensions: [".ts", ".js", ".mjs"],
    },
  },
};
