/**
 * Which token opens which door: the routes of the REST API by the grant that the api declares for each, the other doors by
 * name. `docs/SECURITY.md` has the table; a test asks each door with each token and compares.
 */

/** Tokens that people and programs have, by their video grants, for the room `room` where they are of one. */
export const HOLDERS = {
  "no token": undefined,
  "end user": { roomJoin: true, room: "room" },
  "admin of a room": { roomAdmin: true, room: "room" },
  reader: { roomList: true },
  operator: { roomAdmin: true },
  "maker of rooms": { roomAdmin: true, roomCreate: true },
  worker: { agent: true },
};

const some = (video) => video !== undefined;
const oneRoomOrAll = ({ roomAdmin } = {}) => roomAdmin === true;
const allRooms = ({ roomAdmin, room } = {}) => roomAdmin === true && room === undefined;

/** By the grant that is needed: who has it. Names of the first five are those of ROUTE_GRANTS. */
const OPENS = {
  none: () => true,
  read_all: (video) => video?.roomList === true || allRooms(video),
  read_some: (video) => video?.roomList === true || oneRoomOrAll(video),
  change_all: allRooms,
  change_some: oneRoomOrAll,
  create_room: (video) => oneRoomOrAll(video) && video?.roomCreate === true,
  dispatch: (video) => video?.roomAdmin === true && video.room !== undefined,
  agent: (video) => video?.agent === true,
  livekit: some,
  webhook: () => false,
};

/** What is neither REST nor found in its document. */
const TWIRP = "POST /twirp/livekit.AgentDispatchService/";
export const OTHER_DOORS = {
  "GET /": "none",
  "GET /healthz": "none",
  "GET /readyz": "none",
  "GET /metrics": "none",
  "GET /agent (WebSocket)": "agent",
  [`${TWIRP}CreateDispatch`]: "dispatch",
  [`${TWIRP}ListDispatch`]: "dispatch",
  [`${TWIRP}DeleteDispatch`]: "dispatch",
  "POST /twirp/livekit.<other service>/<call>": "livekit",
  "POST /webhook": "webhook",
};

/** Whether a token with these grants passes a door that needs `grant`. What it is then allowed is for its own room alone. */
export function opens(grant, video) {
  return OPENS[grant](video);
}

/** Rows of [door, grant], of the OpenAPI document's paths and ROUTE_GRANTS. */
export function restDoors(paths, grants) {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId }]) => {
      const grant = grants[operationId];
      if (grant === undefined) throw new Error(`${operationId} has no grant`);
      return [`${method.toUpperCase()} ${path}`, grant];
    }),
  );
}

/** As Markdown: a row a door, a column a holder. */
export function grantTable(doors) {
  const holders = Object.entries(HOLDERS);
  const rows = doors.map(([door, grant]) => {
    const cells = holders.map(([, video]) => (opens(grant, video) ? cellOf(grant, video) : ""));
    return `| \`${door}\` | ${cells.join(" | ")} |`;
  });
  const head = `| door | ${holders.map(([name]) => name).join(" | ")} |`;
  return [head, `|---|${holders.map(() => ":-:|").join("")}`, ...rows].join("\n");
}

function cellOf(grant, video) {
  const isBounded = video?.room !== undefined && grant !== "none";
  if (grant === "livekit") return "LiveKit decides";
  return isBounded ? "its room" : "yes";
}
