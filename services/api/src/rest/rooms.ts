/**
 * POST /v1/rooms: a room is made in LiveKit, with the agents of a room configuration. Owns what is taken and answered; the
 * steps are rules/make-room.ts's.
 */

import { createRoute, z } from "@hono/zod-openapi";
import { MAX_METADATA_BYTES, MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import { requireCreateRoom } from "../auth.js";
import { checkBytes, checkRoom } from "../order-request.js";
import type { MakeRoom } from "../rules/make-room.js";
import { newRoutes } from "./context.js";
import { definitionId } from "./definition-schemas.js";
import { problems } from "./problem.js";

export const ROOMS_PATH = "/v1/rooms";

export interface RoomRouteDeps {
  makeRoom: MakeRoom;
}

const MAX_EMPTY_TIMEOUT_S = 30 * 24 * 3_600;
const MAX_PARTICIPANTS = 1_000_000;

const NewRoomBody = z
  .strictObject({
    name: z.string().openapi({ description: `1-${MAX_ROOM_NAME_BYTES} bytes.` }),
    configuration: definitionId.optional().openapi({
      description: "Id of the room configuration whose agents are ordered. None: the room alone.",
    }),
    metadata: z
      .string()
      .optional()
      .openapi({
        description: `Of the room. Default: the configuration's. At most ${MAX_METADATA_BYTES} bytes; livekit-server may take less.`,
      }),
    empty_timeout_s: z
      .int()
      .min(1)
      .max(MAX_EMPTY_TIMEOUT_S)
      .optional()
      .openapi({ description: "How long it stays while nobody ever joined. Default: livekit-server's." }),
    max_participants: z
      .int()
      .min(1)
      .max(MAX_PARTICIPANTS)
      .optional()
      .openapi({ description: "Default: livekit-server's." }),
  })
  .openapi("NewRoom");

const Room = z
  .object({
    name: z.string(),
    sid: z.string().openapi({ description: "Of its present life." }),
    configuration: z.string().nullable(),
    metadata: z.string(),
    empty_timeout_s: z.int(),
    max_participants: z.int().openapi({ description: "0: no bound." }),
    created_at_ms: z.int(),
    orders: z.array(z.string()).openapi({ description: "Ids of the configuration's orders, in its order." }),
  })
  .openapi("Room");

const createRoomRoute = createRoute({
  method: "post",
  path: ROOMS_PATH,
  operationId: "createRoom",
  summary: "Makes a room in LiveKit, with the agents of a room configuration. May be repeated.",
  description:
    "A room that is live under this name is answered as it is, and a configuration is applied once in its life. Rules apply " +
    "as to any room. Needs MUSTER_LIVEKIT_URL, and a token with video.roomCreate and video.roomAdmin.",
  request: { body: { required: true, content: { "application/json": { schema: NewRoomBody } } } },
  responses: {
    200: { description: "The room.", content: { "application/json": { schema: Room } } },
    ...problems("invalid_argument", "failed_precondition", "too_large"),
  },
});

export function roomRoutes({ makeRoom }: RoomRouteDeps) {
  return newRoutes().openapi(createRoomRoute, async (c) => {
    const caller = c.get("caller");
    const { name, configuration, metadata, ...bounds } = c.req.valid("json");
    requireCreateRoom(caller, name);
    checkRoom(name, "name");
    if (metadata !== undefined) checkBytes("metadata", metadata, MAX_METADATA_BYTES);
    const { empty_timeout_s: emptyTimeoutS, max_participants: maxParticipants } = bounds;
    const asked = {
      name,
      ...(metadata !== undefined && { metadata }),
      ...(emptyTimeoutS !== undefined && { emptyTimeoutS }),
      ...(maxParticipants !== undefined && { maxParticipants }),
    };
    const { room, orders } = await makeRoom.make(caller.project, asked, configuration);
    return c.json(
      {
        ...{ name: room.name, sid: room.sid, configuration: configuration ?? null, metadata: room.metadata },
        ...{ empty_timeout_s: room.emptyTimeout, max_participants: room.maxParticipants },
        created_at_ms:
          room.creationTimeMs === 0n ? Number(room.creationTime) * 1_000 : Number(room.creationTimeMs),
        orders: orders.map(({ order }) => order),
      },
      200,
    );
  });
}
