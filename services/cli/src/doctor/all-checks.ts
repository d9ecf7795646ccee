/** Every check, in the order in which they run: what others rest on comes first, what measures before what makes noise. */

import type { Check } from "./check.js";
import { clock } from "./checks/clock.js";
import { config } from "./checks/config.js";
import { dueNamespaces } from "./checks/due-namespaces.js";
import { keys } from "./checks/keys.js";
import { livekitKeysCheck } from "./checks/livekit-keys.js";
import { livekitReach } from "./checks/livekit-reach.js";
import { nodes } from "./checks/nodes.js";
import { ownWorkers } from "./checks/own-workers.js";
import { ports } from "./checks/ports.js";
import { redisCluster } from "./checks/redis-cluster.js";
import { redisConnections } from "./checks/redis-connections.js";
import { redisEviction } from "./checks/redis-eviction.js";
import { redisLatency } from "./checks/redis-latency.js";
import { redisMemory } from "./checks/redis-memory.js";
import { redisPersistence } from "./checks/redis-persistence.js";
import { redisReach } from "./checks/redis-reach.js";
import { redisRights } from "./checks/redis-rights.js";
import { redisSentinel } from "./checks/redis-sentinel.js";
import { roomCreation } from "./checks/room-creation.js";
import { services } from "./checks/services.js";
import { silentPlaces } from "./checks/silent-places.js";
import { staleParticipants } from "./checks/stale-participants.js";
import { transport } from "./checks/transport.js";
import { webhook } from "./checks/webhook.js";
import { workerLivekitUrl } from "./checks/worker-livekit-url.js";
import { workerTypes } from "./checks/worker-types.js";

export const ALL_CHECKS: readonly Check[] = [
  config,
  ...[redisReach, redisLatency, redisEviction, redisPersistence, redisMemory, redisConnections],
  ...[redisCluster, redisSentinel, redisRights],
  ...[clock, keys],
  ...[
    livekitReach,
    livekitKeysCheck,
    workerLivekitUrl,
    roomCreation,
    webhook,
    staleParticipants,
    ownWorkers,
    silentPlaces,
  ],
  ...[transport, ports, nodes, services, dueNamespaces, workerTypes],
];
