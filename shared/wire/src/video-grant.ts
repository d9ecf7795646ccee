/**
 * The `video` claim of an access token: LiveKit's grants (protocol/auth/grants.go), each read with its type checked.
 * A grant that is absent is not given; for the permissions inside a room, absent and false differ.
 */

const GIVEN_OR_NOT = [
  "roomCreate",
  "roomList",
  "roomRecord",
  "roomAdmin",
  "roomJoin",
  "ingressAdmin",
  "hidden",
  "recorder",
  "agent",
] as const;

const THREE_VALUED = [
  "canPublish",
  "canSubscribe",
  "canPublishData",
  "canUpdateOwnMetadata",
  "canSubscribeMetrics",
  "canManageAgentSession",
] as const;

export type VideoGrant = { readonly [K in (typeof GIVEN_OR_NOT)[number]]: boolean } & {
  readonly [K in (typeof THREE_VALUED)[number]]?: boolean;
} & {
  readonly room: string;
  readonly destinationRoom: string;
  readonly canPublishSources: readonly string[];
};

/** `refuse` makes the error for a claim of the wrong type. */
export function readVideoGrant(claim: unknown, refuse: (problem: string) => Error): VideoGrant {
  const value = claim ?? {};
  if (typeof value !== "object" || Array.isArray(value)) throw refuse("its claim video must be an object");
  const video = value as Record<string, unknown>;

  const grant: Record<string, unknown> = {
    room: text("room"),
    destinationRoom: text("destinationRoom"),
    canPublishSources: texts("canPublishSources"),
  };
  for (const name of GIVEN_OR_NOT) grant[name] = flag(name) ?? false;
  for (const name of THREE_VALUED) {
    const given = flag(name);
    if (given !== undefined) grant[name] = given;
  }
  return grant as VideoGrant;

  function flag(name: string): boolean | undefined {
    const given = video[name] ?? undefined;
    if (given !== undefined && typeof given !== "boolean")
      throw refuse(`its claim video.${name} must be true or false`);
    return given;
  }

  function text(name: string): string {
    const given = video[name] ?? "";
    if (typeof given !== "string") throw refuse(`its claim video.${name} must be a string`);
    return given;
  }

  function texts(name: string): string[] {
    const given = video[name] ?? [];
    if (!Array.isArray(given) || given.some((element) => typeof element !== "string")) {
      throw refuse(`its claim video.${name} must be an array of strings`);
    }
    return given;
  }
}
