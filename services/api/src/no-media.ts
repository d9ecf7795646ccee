/**
 * What is said to those who look for a media server here.
 */

export const NO_MEDIA =
  "dispatch works here, media does not; point LIVEKIT_URL of whoever joins or manages rooms at a livekit-server";

/** `livekitUrl` as configured; clients join rooms by WebSocket. */
export function mediaElsewhere(livekitUrl: string): string {
  const url = livekitUrl.replace(/^http/, "ws");
  return `dispatch works here, media does not; point LIVEKIT_URL of whoever joins rooms at ${url}`;
}
