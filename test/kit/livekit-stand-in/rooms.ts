/**
 * The rooms of a livekit-server, as a test plays them: each verb changes what there is and tells the webhooks that
 * livekit-server (788d4c354) would send for it. Owns two things that can disagree, as there: the *rows* of the store,
 * from which rooms and participants are answered, and the *live* rooms on the nodes. A node that crashes takes its live
 * room and no row.
 */
import {
  AgentDispatch,
  AgentDispatchState,
  DisconnectReason,
  ParticipantInfo,
  ParticipantInfo_State,
  Room,
  type RoomAgentDispatch,
  TrackInfo,
  WebhookEvent,
} from "@muster/wire/generated/livekit";
import {
  copyOf,
  isDependent,
  type JoinOptions,
  newAudioTrack,
  newId,
  newParticipant,
  newRoom,
  type RoomTimeouts,
  thinParticipant,
  thinRoom,
} from "./messages.js";

export type LeaveReason = keyof typeof DisconnectReason;

/** As in CreateRoom: what is zero or empty changes nothing. */
export interface RoomOptions {
  metadata?: string;
  emptyTimeout?: number;
  departureTimeout?: number;
  maxParticipants?: number;
  /** Of the token, of CreateRoom, of a SIP rule; none = the unnamed one. */
  agents?: Partial<RoomAgentDispatch>[];
}

interface RoomRow {
  room: Room;
  agents: Partial<RoomAgentDispatch>[];
  participants: Map<string, ParticipantInfo>;
}

interface LiveRoom {
  room: Room;
  participants: Map<string, { info: ParticipantInfo; options: JoinOptions }>;
  dispatches: AgentDispatch[];
  /** Nobody is in it but agents and the like: since when, and whether somebody was. */
  emptySinceMs: number;
  wasEntered: boolean;
}

export interface LivekitRoomsDeps {
  nowMs: () => number;
  tell: (event: WebhookEvent) => void;
  /** Of rooms that say nothing of their own. */
  timeouts?: RoomTimeouts | undefined;
}

export class LivekitRooms {
  readonly #rows = new Map<string, RoomRow>();
  readonly #live = new Map<string, LiveRoom>();
  readonly #deps: LivekitRoomsDeps;

  constructor(deps: LivekitRoomsDeps) {
    this.#deps = deps;
  }

  /** A live room stays as it is. One that has only its row comes back with its sid, new dispatches and a room_started. */
  startRoom(name: string, options: RoomOptions = {}): Room {
    const there = this.#live.get(name);
    if (there !== undefined) return copyOf(Room, there.room);
    const row = this.#rowOf(name, options);
    const live: LiveRoom = {
      ...{ room: copyOf(Room, row.room), participants: new Map(), dispatches: [] },
      ...{ emptySinceMs: this.#deps.nowMs(), wasEntered: false },
    };
    this.#live.set(name, live);
    for (const agent of row.agents.length > 0 ? row.agents : [{}]) this.addDispatch(name, agent);
    this.#counted(live);
    this.#tell("room_started", { room: live.room });
    return copyOf(Room, live.room);
  }

  /** Makes the room where it is not there. Who is in it under this identity is put out first. */
  join(name: string, identity: string, options: JoinOptions = {}): ParticipantInfo {
    this.beginJoin(name, identity, options);
    return this.becomeActive(name, identity);
  }

  /** Is in the store, and told to nobody: participant_joined comes with media. */
  beginJoin(name: string, identity: string, options: JoinOptions = {}): ParticipantInfo {
    this.startRoom(name);
    const live = this.#liveOf(name);
    if (live.participants.has(identity)) this.leave(name, identity, "DUPLICATE_IDENTITY");
    const info = newParticipant(identity, options, this.#deps.nowMs());
    live.participants.set(identity, { info, options });
    if (!isDependent(info)) live.wasEntered = true;
    this.#stored(live, info);
    return copyOf(ParticipantInfo, info);
  }

  becomeActive(name: string, identity: string): ParticipantInfo {
    const { live, info } = this.#participantOf(name, identity);
    info.state = ParticipantInfo_State.ACTIVE;
    this.#stored(live, info);
    this.#tell("participant_joined", { room: live.room, participant: info });
    return copyOf(ParticipantInfo, info);
  }

  publish(name: string, identity: string, track: TrackInfo = newAudioTrack()): TrackInfo {
    const { live, info } = this.#participantOf(name, identity);
    info.tracks.push(track);
    info.isPublisher = true;
    this.#stored(live, info);
    this.#tellTrack("track_published", live.room, info, track);
    return copyOf(TrackInfo, track);
  }

  unpublish(name: string, identity: string, trackSid: string): void {
    const { live, info } = this.#participantOf(name, identity);
    const index = info.tracks.findIndex(({ sid }) => sid === trackSid);
    const [track] = index < 0 ? [] : info.tracks.splice(index, 1);
    if (track === undefined) throw new Error(`${identity} has no track ${trackSid}`);
    this.#stored(live, info);
    this.#tellTrack("track_unpublished", live.room, info, track);
  }

  /** Whoever never became active is told as participant_connection_aborted. */
  leave(name: string, identity: string, reason: LeaveReason = "CLIENT_INITIATED"): void {
    const { live, info } = this.#participantOf(name, identity);
    const wasActive = info.state === ParticipantInfo_State.ACTIVE;
    for (const track of info.tracks.splice(0)) this.#tellTrack("track_unpublished", live.room, info, track);
    info.state = ParticipantInfo_State.DISCONNECTED;
    info.disconnectReason = DisconnectReason[reason];
    live.participants.delete(identity);
    this.#rows.get(name)?.participants.delete(identity);
    if (!isDependent(info)) live.emptySinceMs = this.#deps.nowMs();
    this.#counted(live);
    const event = wasActive ? "participant_left" : "participant_connection_aborted";
    this.#tell(event, { room: live.room, participant: info });
  }

  /** Leaves and comes back under a new sid, with the kind and the attributes that it had. */
  rejoin(name: string, identity: string, reason: LeaveReason = "CLIENT_INITIATED"): ParticipantInfo {
    const { options } = this.#participantOf(name, identity);
    this.leave(name, identity, reason);
    return this.join(name, identity, options);
  }

  finishRoom(name: string, reason: LeaveReason = "ROOM_CLOSED"): void {
    const live = this.#liveOf(name);
    for (const identity of [...live.participants.keys()]) this.leave(name, identity, reason);
    this.#live.delete(name);
    this.#rows.delete(name);
    this.#tell("room_finished", { room: live.room });
  }

  /** Those whose time is over, as livekit-server closes them by itself: agents keep no room open. */
  finishOverdue(): void {
    const nowMs = this.#deps.nowMs();
    for (const [name, { room, participants, emptySinceMs, wasEntered }] of this.#live) {
      if ([...participants.values()].some(({ info }) => !isDependent(info))) continue;
      const timeoutS = wasEntered ? room.departureTimeout : room.emptyTimeout;
      if (nowMs - emptySinceMs >= timeoutS * 1_000) this.finishRoom(name);
    }
  }

  /**
   * The node of this room is gone: nobody is told anything, and all rows stay, of the room and of who was in it. The next
   * `startRoom` or `join` finds another node; rows of who does not come back stay on.
   */
  crashNode(name: string): void {
    this.#liveOf(name);
    this.#live.delete(name);
  }

  /** What ListDispatch answers for the room has this one too. With `state.jobs`: served by livekit-server itself. */
  addDispatch(name: string, dispatch: Partial<AgentDispatch>): AgentDispatch {
    const createdAt = BigInt(Math.floor(this.#deps.nowMs())) * 1_000_000n;
    const added = AgentDispatch.create({
      state: AgentDispatchState.create({ createdAt }),
      ...dispatch,
      id: dispatch.id ?? newId("AD_"),
      room: name,
    });
    this.#liveOf(name).dispatches.push(added);
    return copyOf(AgentDispatch, added);
  }

  // What the API answers from.

  rowsOf(names: readonly string[]): Room[] {
    const rows = names.length === 0 ? [...this.#rows.values()] : names.map((name) => this.#rows.get(name));
    return rows.flatMap((row) => (row === undefined ? [] : [row.room]));
  }

  participantRowsOf(name: string): ParticipantInfo[] {
    return [...(this.#rows.get(name)?.participants.values() ?? [])];
  }

  hasLive(name: string, identity?: string): boolean {
    const live = this.#live.get(name);
    return live !== undefined && (identity === undefined || live.participants.has(identity));
  }

  dispatchesOf(name: string): readonly AgentDispatch[] {
    return this.#liveOf(name).dispatches;
  }

  #rowOf(name: string, options: RoomOptions): RoomRow {
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = {
        room: newRoom(name, this.#deps.nowMs(), this.#deps.timeouts),
        agents: [],
        participants: new Map(),
      };
      this.#rows.set(name, row);
    }
    const { room } = row;
    room.metadata = options.metadata || room.metadata;
    room.emptyTimeout = options.emptyTimeout || room.emptyTimeout;
    room.departureTimeout = options.departureTimeout || room.departureTimeout;
    room.maxParticipants = options.maxParticipants || room.maxParticipants;
    if (options.agents !== undefined && options.agents.length > 0) row.agents = options.agents;
    return row;
  }

  #stored(live: LiveRoom, info: ParticipantInfo): void {
    this.#rows.get(live.room.name)?.participants.set(info.identity, copyOf(ParticipantInfo, info));
    this.#counted(live);
  }

  #counted({ room, participants }: LiveRoom): void {
    const infos = [...participants.values()].map(({ info }) => info);
    room.numParticipants = infos.filter((info) => !isDependent(info)).length;
    room.numPublishers = infos.filter(({ isPublisher }) => isPublisher).length;
    const row = this.#rows.get(room.name);
    if (row !== undefined) row.room = copyOf(Room, room);
  }

  #tellTrack(event: string, room: Room, participant: ParticipantInfo, track: TrackInfo): void {
    this.#tell(event, { room: thinRoom(room), participant: thinParticipant(participant), track });
  }

  #tell(event: string, what: Pick<WebhookEvent, "room"> & Partial<WebhookEvent>): void {
    const createdAt = BigInt(Math.floor(this.#deps.nowMs() / 1000));
    const told = WebhookEvent.create({ ...what, event, id: newId("EV_"), createdAt });
    this.#deps.tell(copyOf(WebhookEvent, told));
  }

  #liveOf(name: string): LiveRoom {
    const live = this.#live.get(name);
    if (live === undefined) throw new Error(`no node has a room ${name}; startRoom or join makes it`);
    return live;
  }

  #participantOf(name: string, identity: string) {
    const live = this.#liveOf(name);
    const participant = live.participants.get(identity);
    if (participant === undefined) throw new Error(`${identity} is not in ${name}; join first`);
    return { live, ...participant };
  }
}
