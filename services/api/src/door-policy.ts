/**
 * How much callers may have of what an api has once for all of them. Made once, from the configuration (config.ts), where the
 * doc of each stands.
 */

export interface DoorPolicy {
  /** Of all request bodies that are held at a time. */
  bodiesBytes: number;
  /** From when a body is asked for until it is there. */
  bodyMs: number;
  /** Calls passed on to livekit-server at a time; as many again for SIP, where phones ring. */
  livekitCalls: number;
  /** Live streams of events, in this process. */
  eventStreams: number;
  /** Of these, with one token. */
  eventStreamsPerToken: number;
  /** Of these, with tokens of one key, when there are no more. */
  eventStreamsPerKey: number;
  rules: number;
  roomConfigurations: number;
}

const MIB = 1024 * 1024;

export const DOOR_DEFAULTS: DoorPolicy = {
  bodiesBytes: 64 * MIB,
  bodyMs: 30_000,
  livekitCalls: 256,
  eventStreams: 200,
  eventStreamsPerToken: 50,
  eventStreamsPerKey: 100,
  rules: 500,
  roomConfigurations: 500,
};
