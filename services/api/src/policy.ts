/**
 * How long things last that the api writes. Made once, from the configuration, where defaults and their doc stand.
 */

export const ADOPT_UNNAMED = ["known", "always", "never"] as const;
export type AdoptUnnamed = (typeof ADOPT_UNNAMED)[number];

export interface OrderPolicy {
  /** How long an order and its jobs are kept after they ended; a request id is remembered as long. */
  retainMs: number;
  /** After this time a queued job that nobody tried is tried. */
  guardMs: number;
  /** Starts that may fail before a job does. */
  maxAttempts: number;
  /** How long a job may wait for a worker. */
  waitMs: number;
  /** How long a worker's place stays taken when it does not confirm that it stopped. */
  stopMs: number;
  /** How soon after a stop its agent is put out of the room, when it is still there; 0 = LiveKit cannot be asked. */
  removeMs: number;
  /** Whether the room of an order is created when it is not there; only with a LiveKit that can be asked. */
  createRooms: boolean;
  /** Whether LiveKit's automatic dispatch, which names no agent, is taken over: while a worker without a name is there or was lately, … */
  adoptUnnamed: AdoptUnnamed;
  /** How long an agent may have been in its room for its job to count as short; 0 = none does. */
  shortJobMs: number;
  /** Namespaces that one order goes to when it names none; 0 = no bound. */
  maxNamespacesPerOrder: number;
  /** How often rooms are looked after whose events may be lost. */
  roomsEveryMs: number;
  /** How long the directory remembers where an order went; longer than any order lives. */
  keepEntryMs: number;
}
