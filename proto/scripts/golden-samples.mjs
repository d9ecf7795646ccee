/**
 * What the golden vectors hold: one message a name, as proto3 JSON. Every kind of both directions is here, with every
 * field of Job, integers that a double cannot hold, maps, and the cases where absent and zero differ.
 */

const ROOM = {
  sid: "RM_2kQv7zTqYc8s",
  name: "support-call-42",
  emptyTimeout: 300,
  departureTimeout: 20,
  maxParticipants: 50,
  creationTime: "1767225600",
  creationTimeMs: "1767225600123",
  turnPassword: "turn-secret",
  enabledCodecs: [{ mime: "audio/opus" }, { mime: "video/H264", fmtpLine: "profile-level-id=42e01f" }],
  metadata: '{"tier":"gold"}',
  numParticipants: 3,
  numPublishers: 2,
  activeRecording: true,
  version: { unixMicro: "1767225600123456", ticks: 7 },
};

const TRACK = {
  sid: "TR_AMx4b9",
  type: "VIDEO",
  name: "camera",
  muted: true,
  width: 1920,
  height: 1080,
  simulcast: true,
  disableDtx: true,
  source: "SCREEN_SHARE",
  layers: [
    {
      quality: "HIGH",
      width: 1920,
      height: 1080,
      bitrate: 4000000000,
      ssrc: 4294967295,
      spatialLayer: -1,
      rid: "f",
      repairSsrc: 1,
    },
  ],
  mimeType: "video/VP8",
  mid: "2",
  codecs: [
    {
      mimeType: "video/AV1",
      mid: "3",
      cid: "c1",
      layers: [{ quality: "MEDIUM", width: 960 }],
      videoLayerMode: "MULTIPLE_SPATIAL_LAYERS_PER_STREAM",
      sdpCid: "s1",
    },
  ],
  stereo: true,
  disableRed: true,
  encryption: "GCM",
  stream: "camera-stream",
  version: { unixMicro: "1", ticks: -3 },
  audioFeatures: ["TF_NO_DTX", "TF_PRECONNECT_BUFFER"],
  backupCodecPolicy: "SIMULCAST",
  packetTrailerFeatures: ["PTF_USER_TIMESTAMP", "PTF_USER_DATA"],
};

const PARTICIPANT = {
  sid: "PA_9rBq3f",
  identity: "caller-ü-😀",
  state: "ACTIVE",
  tracks: [TRACK, { sid: "TR_AU1" }],
  metadata: "{}",
  joinedAt: "1767225601",
  joinedAtMs: "1767225601987",
  name: "Ada",
  version: 12,
  permission: {
    canSubscribe: true,
    canPublish: true,
    canPublishData: true,
    canPublishSources: ["MICROPHONE", "SCREEN_SHARE_AUDIO"],
    hidden: true,
    recorder: true,
    canUpdateMetadata: true,
    agent: true,
    canSubscribeMetrics: true,
    canManageAgentSession: true,
  },
  region: "eu-north",
  isPublisher: true,
  kind: "SIP",
  attributes: { "sip.phoneNumber": "+4512345678", empty: "" },
  disconnectReason: "DUPLICATE_IDENTITY",
  kindDetails: ["CLOUD_AGENT", "FORWARDED"],
  dataTracks: [
    {
      pubHandle: 4,
      sid: "DT_1",
      name: "telemetry",
      encryption: "CUSTOM",
      frameEncoding: { wellKnown: "WELL_KNOWN_FRAME_ENCODING_CBOR" },
      schema: { name: "pose", encoding: { custom: "capnp" } },
    },
  ],
  clientProtocol: 1,
  capabilities: ["CAP_PACKET_TRAILER"],
};

const STATE = {
  status: "JS_RUNNING",
  error: "not really",
  startedAt: "1767225600123456789",
  endedAt: "9223372036854775807",
  updatedAt: "-9223372036854775808",
  participantIdentity: "agent-AJ_3fQmW8xZp2LkRt",
  workerId: "AW_3fQmW8xZp2LkRt",
  agentId: "CA_1",
};

const JOB = {
  id: "AJ_3fQmW8xZp2LkRt.2",
  dispatchId: "AD_7hTn5vBcXs9QwE",
  type: "JT_PARTICIPANT",
  room: ROOM,
  participant: PARTICIPANT,
  namespace: "blue",
  metadata: '{"lang":"da"}',
  agentName: "greeter",
  state: STATE,
  enableRecording: true,
  deployment: "canary",
  attributes: { tier: "gold", "": "empty key" },
  enableRedaction: true,
};

const SMALL_JOB = {
  id: "AJ_1",
  room: { name: "r", sid: "RM_1" },
  agentName: "a",
  state: { startedAt: "1767225600123456789" },
};

const PERMISSIONS = {
  canSubscribe: true,
  canPublish: true,
  canPublishData: true,
  canUpdateMetadata: true,
  agent: true,
};

const worker = (name, json) => ({ name: `worker-${name}`, message: "WorkerMessage", json });
const server = (name, json) => ({ name: `server-${name}`, message: "ServerMessage", json });

export const SAMPLES = [
  worker("empty", {}),
  worker("register-node", {
    register: { version: "1.9.0", agentName: "greeter", allowedPermissions: PERMISSIONS },
  }),
  worker("register-all", {
    register: {
      type: "JT_PUBLISHER",
      agentName: "greeter",
      version: "1.3.1",
      pingInterval: 4294967295,
      namespace: "blue",
      allowedPermissions: PARTICIPANT.permission,
      deployment: "canary",
    },
  }),
  worker("register-namespace-empty", { register: { namespace: "" } }),
  worker("availability-accept", {
    availability: {
      jobId: "AJ_1",
      available: true,
      supportsResume: true,
      participantName: "Agent",
      participantIdentity: "agent-AJ_1",
      participantMetadata: "{}",
      participantAttributes: { "lk.agent.name": "greeter", mood: "sunny" },
    },
  }),
  worker("availability-reject", { availability: { jobId: "AJ_1" } }),
  worker("availability-terminate", { availability: { jobId: "AJ_1", terminate: true } }),
  worker("update-worker", { updateWorker: { status: "WS_FULL", load: 0.25, jobCount: 3 } }),
  worker("update-worker-available", { updateWorker: { status: "WS_AVAILABLE", load: 0.5 } }),
  worker("update-worker-no-status", { updateWorker: { load: 1 } }),
  worker("update-worker-empty", { updateWorker: {} }),
  worker("update-job", { updateJob: { jobId: "AJ_1", status: "JS_FAILED", error: "entry raised" } }),
  worker("update-job-pending", { updateJob: { jobId: "AJ_1" } }),
  worker("ping", { ping: { timestamp: "1767225600123" } }),
  worker("simulate-room", { simulateJob: { room: ROOM } }),
  worker("simulate-participant", {
    simulateJob: { type: "JT_PUBLISHER", room: ROOM, participant: PARTICIPANT },
  }),
  worker("migrate", { migrateJob: { jobIds: ["AJ_1", "AJ_2.3", ""] } }),

  server("empty", {}),
  server("register", {
    register: {
      workerId: "AW_3fQmW8xZp2LkRt",
      serverInfo: { version: "1.0.0", protocol: 17, region: "eu", nodeId: "NO_1", agentProtocol: 1 },
    },
  }),
  server("register-cloud", { register: { serverInfo: { edition: "Cloud", debugInfo: "x", protocol: -1 } } }),
  server("availability", { availability: { job: SMALL_JOB } }),
  server("availability-all", { availability: { job: JOB, resuming: true } }),
  server("assignment", { assignment: { job: SMALL_JOB, token: "ey.j.wt" } }),
  server("assignment-all", { assignment: { job: JOB, url: "wss://media.example.com", token: "ey.j.wt" } }),
  server("assignment-url-empty", { assignment: { url: "" } }),
  server("termination", { termination: { jobId: "AJ_1" } }),
  server("pong", { pong: { lastTimestamp: "1767225600123", timestamp: "1767225600124" } }),
  server("pong-wide", { pong: { lastTimestamp: "-1", timestamp: "9007199254740993" } }),

  { name: "job-all", message: "Job", json: JOB },
  { name: "room-all", message: "Room", json: ROOM },
  { name: "participant-all", message: "ParticipantInfo", json: PARTICIPANT },
  {
    name: "dispatch-create",
    message: "CreateAgentDispatchRequest",
    json: {
      agentName: "greeter",
      room: "support-call-42",
      metadata: '{"lang":"da"}',
      restartPolicy: "JRP_NEVER",
      deployment: "canary",
      attributes: { tier: "gold" },
    },
  },
  { name: "dispatch-delete", message: "DeleteAgentDispatchRequest", json: { dispatchId: "AD_1", room: "r" } },
  { name: "dispatch-list", message: "ListAgentDispatchRequest", json: { room: "r" } },
  {
    name: "dispatch-list-response",
    message: "ListAgentDispatchResponse",
    json: {
      agentDispatches: [
        { id: "AD_1", agentName: "greeter", room: "r" },
        {
          id: "AD_2",
          agentName: "greeter",
          room: "r",
          metadata: "m",
          state: {
            jobs: [JOB, SMALL_JOB],
            createdAt: "1767225600123456789",
            deletedAt: "1767225600999999999",
          },
          restartPolicy: "JRP_NEVER",
          deployment: "canary",
          attributes: { tier: "gold" },
        },
      ],
    },
  },
  {
    name: "room-create",
    message: "CreateRoomRequest",
    json: {
      name: "support-call-42",
      emptyTimeout: 3600,
      departureTimeout: 20,
      maxParticipants: 50,
      metadata: '{"tier":"gold"}',
      agents: [
        { agentName: "greeter" },
        {
          agentName: "scribe",
          metadata: "m",
          restartPolicy: "JRP_NEVER",
          deployment: "canary",
          attributes: { tier: "gold" },
        },
      ],
    },
  },
  { name: "room-list", message: "ListRoomsRequest", json: { names: ["support-call-42", "r-ü"] } },
  { name: "room-list-all", message: "ListRoomsRequest", json: {} },
  {
    name: "room-list-response",
    message: "ListRoomsResponse",
    json: { rooms: [ROOM, { name: "r", sid: "RM_1" }] },
  },
  { name: "participant-list", message: "ListParticipantsRequest", json: { room: "support-call-42" } },
  {
    name: "participant-list-response",
    message: "ListParticipantsResponse",
    json: { participants: [PARTICIPANT, { sid: "PA_1", identity: "b" }] },
  },
  {
    name: "participant-remove",
    message: "RoomParticipantIdentity",
    json: { room: "support-call-42", identity: "agent-AJ_1", revokeTokenTs: "1767225600" },
  },
  {
    name: "webhook",
    message: "WebhookEvent",
    json: {
      event: "participant_left",
      room: ROOM,
      participant: PARTICIPANT,
      track: TRACK,
      job: SMALL_JOB,
      id: "EV_1",
      createdAt: "1767225600",
      numDropped: 2,
      roomEndReason: "ROOM_END_IDLE_TIMEOUT",
    },
  },
];
