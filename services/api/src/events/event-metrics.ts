/**
 * What is counted of events on their way out, as verbs.
 */

export interface EventMetrics {
  /** A receiver took one. */
  delivered(): void;
  /** One try failed. */
  deliveryFailed(): void;
  /** After its last try; it is a dead letter. */
  deliveryDied(): void;
  /** Events that fell off the feed before a hook had taken them in. */
  eventsMissed(): void;
  /** How many listen to the live stream here. */
  listeners(count: number): void;
  listenerDropped(reason: "too_slow" | "displaced"): void;
}
