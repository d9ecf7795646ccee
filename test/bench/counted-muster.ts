/**
 * Owns a gateway, a dispatcher and an api in this process, each with Redis connections of its own, as they have when
 * they run apart; and a count of what these connections issue, by script and command.
 */
import { createHash, randomBytes } from "node:crypto";
import { apiKeysFrom, orderPolicyFrom } from "@muster/api/config";
import { startApi } from "@muster/api/start-api";
import { dispatcherSchema, policyFrom as dispatchPolicyFrom } from "@muster/dispatcher/config";
import { dispatcherMetrics } from "@muster/dispatcher/metrics";
import { noPresence } from "@muster/dispatcher/presence";
import { startDispatcher } from "@muster/dispatcher/start-dispatcher";
import { type IdKind, idFrom } from "@muster/domain/ids";
import { policyFrom as gatewayPolicyFrom, gatewaySchema } from "@muster/gateway/config";
import { startGateway } from "@muster/gateway/start-gateway";
import { chooseTransport } from "@muster/gateway/transport/choose-transport";
import { systemClock as clock } from "@muster/runtime/clock";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { closeRedis, connectRedis, type RedisClient } from "@muster/runtime/redis/connect";
import { scriptNames } from "./script-names.js";

export interface CountedMuster {
  apiUrl: string;
  gatewayUrl: string;
  /** Commands by what they are for, since reset(): `api: ledger create-order`. */
  counts(): ReadonlyMap<string, number>;
  /** Scripts among them. */
  scripts(): number;
  reset(): void;
  stop(): Promise<void>;
}

const log = createLog({ level: "silent", service: "bench" });

export async function startCountedMuster(url: string, key: string, secret: string): Promise<CountedMuster> {
  const names = scriptNames();
  const counts = new Map<string, number>();
  const clients: RedisClient[] = [];
  const connect = (service: string, blocking = false) => {
    const client = connectRedis({ url, name: service, log, blocking });
    clients.push(client);
    count(
      client,
      (what) => counts.set(`${service}: ${what}`, (counts.get(`${service}: ${what}`) ?? 0) + 1),
      names,
    );
    return client;
  };
  const newId = (kind: IdKind) => idFrom(kind, randomBytes(16));
  const shared = { clock, log, newGeneration: () => randomBytes(8).toString("hex") };
  const keys = new Map([[key, secret]]);
  const settings = { redisUrl: url, keys: `${key}: ${secret}` };

  const dispatcher = await startDispatcher({
    ...shared,
    nodeId: newId("node"),
    redis: connect("dispatcher"),
    blocking: connect("dispatcher inbox", true),
    policy: dispatchPolicyFrom(dispatcherSchema.parse({ redisUrl: url })),
    leaseMs: 3_000,
    maxSleepMs: 5_000,
    metrics: dispatcherMetrics(createMetrics({ service: "dispatcher" })),
    presence: noPresence,
    roomService: undefined,
    random: Math.random,
  });
  const gateway = await startGateway({
    ...shared,
    nodeId: newId("node"),
    version: "bench",
    host: "127.0.0.1",
    port: 0,
    startTransport: await chooseTransport({ choice: "auto", log }),
    keys,
    policy: { ...gatewayPolicyFrom(gatewaySchema.parse(settings)), drainMs: 0 },
    redis: connect("gateway"),
    blocking: connect("gateway inbox", true),
    newId,
    metrics: createMetrics({ service: "gateway" }),
  });
  const api = await startApi({
    ...shared,
    redis: connect("api"),
    keys: apiKeysFrom({ keys, dev: false }),
    policy: orderPolicyFrom({
      waitBoundMs: 3_600_000,
      retentionMs: 3_600_000,
      maxAttempts: 3,
      createRooms: false,
      adoptUnnamed: "known",
      maxNamespacesPerOrder: 0,
      shortJobMs: 3_000,
    }),
    metrics: createMetrics({ service: "api" }),
    randomBytes,
    host: "127.0.0.1",
    port: 0,
    drainMs: 0,
  });
  return {
    apiUrl: `http://127.0.0.1:${api.port}`,
    gatewayUrl: `http://127.0.0.1:${gateway.port}`,
    counts: () => counts,
    scripts: () => [...counts].reduce((sum, [what, calls]) => (isScript(what) ? sum + calls : sum), 0),
    reset: () => counts.clear(),
    async stop() {
      await api.stop();
      await gateway.stop();
      await dispatcher.stop(2_000);
      for (const client of clients) await closeRedis(client);
    },
  };
}

const isScript = (what: string) => /: (ledger|node|bullmq) /.test(what);

function count(client: RedisClient, add: (what: string) => void, names: ReadonlyMap<string, string>): void {
  const send = client.sendCommand;
  client.sendCommand = function counted(this: RedisClient, ...sent: Parameters<typeof send>) {
    const [command] = sent;
    add(purpose(command.name.toLowerCase(), String(command.args[0]), names));
    return Reflect.apply(send, this, sent);
  } as typeof send;
}

function purpose(name: string, firstArgument: string, names: ReadonlyMap<string, string>): string {
  if (name !== "evalsha" && name !== "eval") return name;
  const sha = name === "eval" ? createHash("sha1").update(firstArgument).digest("hex") : firstArgument;
  return names.get(sha) ?? "bullmq script";
}
