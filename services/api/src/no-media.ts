/**
 * What is said to those who look for a media server here.
 */

export const NO_MEDIA =
  "dispatch works here, media does not; set MUSTER_WORKER_LIVEKIT_URL, the LiveKit url that workers are given with each job, " +
  "and point LIVEKIT_URL of everybody else who joins or manages rooms at a livekit-server";

/** `livekitUrl` as configured; clients join rooms by WebSocket. */
export function mediaElsewhere(livekitUrl: string): string {
  const url = livekitUrl.replace(/^http/, "ws");
  return (
    "dispatch works here, media does not; set MUSTER_WORKER_LIVEKIT_URL, the LiveKit url that workers are given with each job, " +
    `and point LIVEKIT_URL of everybody else who joins rooms at ${url}`
  );
}
