/**
 * A publisher as its agent is told of it. LiveKit describes a participant when it joins, before it publishes anything; the
 * event of its first track only names it. Owns putting the two together: livekit-server tells its agents of both.
 */

import { ParticipantInfo, TrackInfo } from "@muster/wire/generated/livekit";
import type { KnownPerson } from "../room-look.js";

/** ParticipantInfo, base64, with the track that was just published where it has none; empty when nobody described it yet. */
export function publisherInfo({ info = "", published }: Pick<KnownPerson, "info" | "published">): string {
  if (info === "") return "";
  const described = Buffer.from(info, "base64");
  const { tracks } = ParticipantInfo.decode(described);
  const track = published && TrackInfo.decode(Buffer.from(published.track, "base64"));
  const isNew = track !== undefined && tracks.every(({ sid }) => sid !== track.sid);
  const more = ParticipantInfo.encode({
    ...ParticipantInfo.create({ isPublisher: true }),
    tracks: isNew ? [track] : [],
  });
  // One message behind the other is both merged, and leaves what is newer than our schema as it is.
  return Buffer.concat([described, more.finish()]).toString("base64");
}
