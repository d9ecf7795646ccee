/**
 * What is said to those who look for a media server here.
 */

export const NO_MEDIA =
  "dispatch works here, media does not; point LIVEKIT_URL of whoever joins or manages rooms at a livekit-server";
