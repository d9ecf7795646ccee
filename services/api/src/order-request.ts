/**
 * What may be asked for: an order as both APIs know it, and the bounds on its content and on the names by which one is
 * looked up. Owns every refusal of such content; each names its field as the caller wrote it, and nothing has been
 * written by then.
 */

import { DispatchError } from "@muster/domain/errors";
import type { FallbackStep } from "@muster/domain/fallback";
import { isId } from "@muster/domain/ids";
import {
  MAX_AGENT_NAME_BYTES,
  MAX_ATTRIBUTES_BYTES,
  MAX_METADATA_BYTES,
  MAX_ROOM_NAME_BYTES,
} from "@muster/domain/limits";
import { deploymentProblem } from "@muster/domain/pool";
import type { Preferences } from "@muster/domain/preferences";
import { checkTarget, type Target } from "@muster/domain/target";
import type { CreateAgentDispatchRequest } from "@muster/wire/generated/livekit";
import { JobRestartPolicy } from "@muster/wire/generated/livekit";

export interface NewOrder {
  project: string;
  room: string;
  agent: string;
  deployment: string;
  metadata: string;
  attributes: Record<string, string>;
  restartPolicy: "on_failure" | "never";
  /** 0–1000, higher first. */
  priority: number;
  target: Target;
  /** The namespace field of its workers, "" for the default one; undefined for wherever the agent is known. */
  namespace: string | undefined;
  /** How long each of its jobs may wait for a worker; undefined for the setting's. */
  waitMs: number | undefined;
  /** Starts of a job that may fail; undefined for the setting's. */
  maxAttempts: number | undefined;
  /** Sid of the one life of the room that it is for; undefined for the present one, or the next. */
  roomSid?: string;
  /** Who is asked when nobody takes its jobs. */
  fallback: readonly FallbackStep[];
  /** Kept, with its jobs, and offered to nobody until it is released. */
  hold: boolean;
  /** Merged into the live order that its agent has in the room; undefined: as the agent's policy says. */
  onePerRoom?: boolean;
  /** It waits on when its callers have left and their room has closed; absent: what waits ends then. */
  keepWaiting?: boolean;
  /** Whom its jobs would rather have; undefined: whoever there is. */
  preferences?: Preferences;
  /**
   * What a repeated call is known by; undefined when the caller gave nothing. A request id of LiveKit's clients stands
   * for this agent in this room, an idempotency key of an API key for the whole content: with another content it is refused. A
   * dispatch that livekit-server made or a rule asked for has its id already.
   */
  repeat:
    | { by: "request_id" | "id"; value: string }
    | { by: "idempotency_key"; value: string; apiKey: string }
    | undefined;
}

/** What of an order does not depend on the room and the call that it is made for. */
export type OrderTerms = Omit<NewOrder, "project" | "room" | "repeat" | "roomSid">;

/** LiveKit's call has no priority; theirs is in the middle, so that others can be above and below. */
export const DEFAULT_PRIORITY = 500;
export const MAX_PRIORITY = 1_000;

/** @throws DispatchError `invalid_argument` or `too_large`, with the field */
export function orderOf(
  project: string,
  request: CreateAgentDispatchRequest,
  requestId: string | undefined,
): NewOrder {
  const order: NewOrder = {
    project,
    room: request.room,
    agent: request.agentName,
    deployment: request.deployment,
    metadata: request.metadata,
    attributes: request.attributes,
    restartPolicy: restartPolicyOf(request.restartPolicy),
    priority: DEFAULT_PRIORITY,
    target: { for: "room" },
    namespace: undefined,
    waitMs: undefined,
    maxAttempts: undefined,
    fallback: [],
    hold: false,
    repeat: requestId === undefined ? undefined : { by: "request_id", value: requestId },
  };
  checkContent(order);
  return order;
}

/** The bounds that a schema cannot say, since they are in bytes. @throws DispatchError `invalid_argument` */
export function checkContent(order: NewOrder): void {
  checkRoom(order.room);
  checkTerms(order);
}

/** The same for all but the room. @throws DispatchError `invalid_argument` */
export function checkTerms(order: OrderTerms): void {
  checkBytes("agent_name", order.agent, MAX_AGENT_NAME_BYTES);
  checkTexts(order);
  const problem = deploymentProblem(order.deployment);
  if (problem !== undefined) throw new DispatchError("invalid_argument", problem, "deployment");
  checkTarget(order.target);
  if (order.onePerRoom === true && order.target.for !== "room") {
    throw new DispatchError(
      "invalid_argument",
      "is for orders whose target is the room; one for participants sends an agent to each",
      "one_per_room",
    );
  }
}

/** What an order has for its agent. @throws DispatchError `invalid_argument` */
export function checkTexts({ metadata, attributes }: Pick<NewOrder, "metadata" | "attributes">): void {
  checkBytes("metadata", metadata, MAX_METADATA_BYTES);
  checkAttributes(attributes);
}

export function checkRoom(room: string, field = "room"): void {
  if (room === "") throw new DispatchError("invalid_argument", "is required", field);
  checkBytes(field, room, MAX_ROOM_NAME_BYTES);
}

export function checkDispatchId(id: string): void {
  if (id === "") throw new DispatchError("invalid_argument", "is required", "dispatch_id");
  if (!isId(id)) {
    throw new DispatchError("invalid_argument", "must be an id: 1-64 of A-Z a-z 0-9 _ . -", "dispatch_id");
  }
}

/** @throws DispatchError `invalid_argument` */
export function checkBytes(field: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new DispatchError("invalid_argument", `${bytes} bytes; at most ${maxBytes} are taken`, field);
  }
}

function checkAttributes(attributes: Record<string, string>): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "") throw new DispatchError("invalid_argument", "has an empty key", "attributes");
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_ATTRIBUTES_BYTES) {
    throw new DispatchError(
      "invalid_argument",
      `${bytes} bytes of keys and values; at most ${MAX_ATTRIBUTES_BYTES} are taken`,
      "attributes",
    );
  }
}

function restartPolicyOf(policy: number): NewOrder["restartPolicy"] {
  switch (policy) {
    case JobRestartPolicy.JRP_ON_FAILURE:
      return "on_failure";
    case JobRestartPolicy.JRP_NEVER:
      return "never";
    default:
      throw new DispatchError(
        "invalid_argument",
        "must be JRP_ON_FAILURE (0) or JRP_NEVER (1)",
        "restart_policy",
      );
  }
}
