/**
 * Owns the intake of all namespaces that this process consumes: any number of them on one Redis connection that is not
 * its own. It opens none, blocks none, and hears of new entries only by wake().
 *
 * Close it before the connection: it lets running handlers finish, and what was not fetched stays where it is.
 */
import { invariant } from "@muster/domain/assert";
import type { Clock } from "../clock.js";
import type { Log } from "../log.js";
import type { RedisClient } from "../redis/connect.js";
import { listDeadLetters } from "./dead-letters.js";
import { INTAKE_TIMING, IntakeConsumer, type IntakeHandler, type IntakeTiming } from "./intake-consumer.js";
import type { DeadLetter } from "./intake-entry.js";
import { onReconnect, shareConnection } from "./shared-connection.js";

export interface IntakeHubDeps {
  redis: RedisClient;
  log: Log;
  clock: Clock;
  timing?: IntakeTiming;
}

export interface IntakeHub {
  /** Consumes `namespace` until its close(). Once at a time; another process may do the same. */
  open(namespace: string, handler: IntakeHandler, opts: { concurrency: number }): IntakeConsumer;
  /** The newest `limit` entries that failed for good (BullMQ keeps 100, for 7 days). */
  deadLetters(namespace: string, limit: number): Promise<DeadLetter[]>;
  /** Hints may have been lost: every consumer looks for entries. */
  lookAgain(): void;
  /** Closes every consumer. */
  close(): Promise<void>;
}

export function createIntakeHub({ redis, log, clock, timing = INTAKE_TIMING }: IntakeHubDeps): IntakeHub {
  const connection = shareConnection(redis, log);
  const consumers = new Map<string, IntakeConsumer>();
  const lookAgain = () => {
    for (const consumer of consumers.values()) consumer.lookAgain();
  };
  const stopListening = onReconnect(redis, lookAgain);
  return {
    open(namespace, handler, { concurrency }) {
      invariant(!consumers.has(namespace), "a namespace's intake is opened once at a time");
      const consumer = new IntakeConsumer({
        namespace,
        handler,
        concurrency,
        connection,
        log,
        clock,
        timing,
        onClose: () => consumers.delete(namespace),
      });
      consumers.set(namespace, consumer);
      return consumer;
    },
    lookAgain,
    deadLetters: (namespace, limit) => listDeadLetters(connection, namespace, limit),
    async close() {
      stopListening();
      await Promise.all([...consumers.values()].map((consumer) => consumer.close()));
      await connection.close();
    },
  };
}
