/**
 * How large what comes from outside may be. Refused above these, with the field named; the frame and body bounds are
 * livekit-server's, so that nothing that works there is refused here.
 */

export const MAX_FRAME_BYTES = 2 * 1024 * 1024;
export const MAX_BODY_BYTES = 10 * 1024 * 1024;
export const MAX_AGENT_NAME_BYTES = 256;
export const MAX_ROOM_NAME_BYTES = 512;
export const MAX_IDENTITY_BYTES = 512;
/** livekit-server caps a dispatch's metadata at 512 KiB. */
export const MAX_METADATA_BYTES = 512 * 1024;
export const MAX_ATTRIBUTES_BYTES = 64 * 1024;
export const MAX_ERROR_BYTES = 4 * 1024;
export const MAX_VERSION_BYTES = 64;
/**
 * Room and participant of a SimulateJobRequest, as messages: livekit-server lets each have 64 KB of metadata and the participant 64 KB
 * of attributes, so this holds what it has.
 */
export const MAX_SIMULATION_BYTES = 256 * 1024;
/** Of ParticipantPermission.can_publish_sources; there are five sources. */
export const MAX_PUBLISH_SOURCES = 64;
/** Job ids in one MigrateJobRequest. */
export const MAX_MIGRATED_JOBS = 1024;
/** Namespaces of a project that have workers, and those that one order goes to, unless set otherwise. */
export const MOST_NAMESPACES = 64;
