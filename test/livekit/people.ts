/**
 * Owns people in the rooms of a real livekit-server: they come in over WebRTC, say something, and leave. What LiveKit
 * makes of it is asked of LiveKit.
 */
import type { AudioSource, LocalAudioTrack, Room } from "@livekit/rtc-node";
import { AccessToken, type RoomConfiguration } from "livekit-server-sdk";
import WebSocket from "ws";
import type { LivekitServer } from "./livekit-server.js";

export interface Person {
  readonly identity: string;
  publish(): Promise<void>;
  leave(): Promise<void>;
}

export interface Entry {
  kind?: "standard" | "sip" | "agent" | "egress";
  attributes?: Record<string, string>;
  /** For the room, when this is the first to enter it. */
  roomConfig?: RoomConfiguration;
}

export interface PeopleDeps {
  server: LivekitServer;
  apiKey: string;
  apiSecret: string;
}

const RATE_HZ = 16_000;

export class People {
  readonly #deps: PeopleDeps;
  readonly #rooms = new Set<Room>();
  readonly #sounds: { source: AudioSource; track: LocalAudioTrack }[] = [];

  constructor(deps: PeopleDeps) {
    this.#deps = deps;
  }

  async join(identity: string, room: string, entry: Entry = {}): Promise<Person> {
    return this.enter(await this.#token(identity, room, entry));
  }

  /** With a token of somebody else's: whoever and wherever that says. */
  async enter(token: string): Promise<Person> {
    // Loaded only where a livekit-server is at hand: it is a large native library.
    const rtc = await import("@livekit/rtc-node");
    const connection = new rtc.Room();
    const options = { autoSubscribe: false, dynacast: false };
    await connection.connect(this.#deps.server.wsUrl, token, options);
    this.#rooms.add(connection);
    return {
      identity: connection.localParticipant?.identity ?? "",
      publish: async () => {
        const source = new rtc.AudioSource(RATE_HZ, 1);
        const track = rtc.LocalAudioTrack.createAudioTrack("voice", source);
        this.#sounds.push({ source, track });
        await connection.localParticipant?.publishTrack(track, new rtc.TrackPublishOptions());
      },
      leave: async () => {
        this.#rooms.delete(connection);
        await connection.disconnect();
      },
    };
  }

  /** Asks for a way in and never takes it. */
  async giveUpJoining(identity: string, room: string): Promise<void> {
    const token = await this.#token(identity, room, {});
    const socket = new WebSocket(`${this.#deps.server.wsUrl}/rtc?access_token=${token}&protocol=16`);
    await new Promise((resolve, reject) => socket.once("message", resolve).once("error", reject));
    socket.terminate();
  }

  /** All leave; no other can come in behind it. */
  async end(): Promise<void> {
    await Promise.all([...this.#rooms].map((room) => room.disconnect()));
    for (const { track } of this.#sounds) await track.close();
    const { dispose } = await import("@livekit/rtc-node");
    await dispose();
  }

  async #token(identity: string, room: string, { kind, attributes, roomConfig }: Entry): Promise<string> {
    const { apiKey, apiSecret } = this.#deps;
    const token = new AccessToken(apiKey, apiSecret, { identity, ...(attributes && { attributes }) });
    token.addGrant({ roomJoin: true, room });
    if (kind !== undefined) token.kind = kind;
    if (roomConfig !== undefined) token.roomConfig = roomConfig;
    return await token.toJwt();
  }
}
