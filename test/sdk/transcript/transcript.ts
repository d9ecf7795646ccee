/**
 * Owns the form in which the frames between a stock SDK and Muster are kept: who said what, in which order, and how long
 * after the frame before. Holds no Authorization header; what tokens there are were signed with the tests' keys.
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  decodeServerMessage,
  decodeServerMessageJson,
  decodeWorkerMessage,
  decodeWorkerMessageJson,
  type ServerMessage,
  type WorkerMessage,
} from "@muster/wire/agent-codec";

export interface Frame {
  direction: "to-server" | "to-worker";
  /** Since the frame before, or since the connection was open. */
  delayMs: number;
  kind: "binary" | "text";
  base64: string;
}

export interface Transcript {
  /** As in requirements.txt: "livekit-agents==1.8.9". */
  sdk: string;
  scenario: string;
  /** Frames of each connection, in their order. All but the last connection were cut. */
  connections: Frame[][];
}

/** Each is a file beside this one. */
export const SCENARIOS = ["finishes", "stopped", "reconnects"] as const;
export type Scenario = (typeof SCENARIOS)[number];

const fileOf = (scenario: Scenario): URL => new URL(`./python-${scenario}.json`, import.meta.url);

export function readTranscript(scenario: Scenario): Transcript {
  return JSON.parse(readFileSync(fileOf(scenario), "utf8")) as Transcript;
}

export function writeTranscript(scenario: Scenario, transcript: Transcript): void {
  writeFileSync(fileOf(scenario), `${JSON.stringify(transcript, null, 2)}\n`);
}

export function bytesOf({ base64 }: Frame): Buffer {
  return Buffer.from(base64, "base64");
}

export function saidByWorker(frame: Frame): WorkerMessage {
  const bytes = bytesOf(frame);
  return frame.kind === "binary" ? decodeWorkerMessage(bytes) : decodeWorkerMessageJson(bytes.toString());
}

export function saidByServer(frame: Frame): ServerMessage {
  const bytes = bytesOf(frame);
  return frame.kind === "binary" ? decodeServerMessage(bytes) : decodeServerMessageJson(bytes.toString());
}

/** Everything that the worker said, over all connections. */
export function wordsOfWorker(connections: readonly Frame[][]): WorkerMessage[] {
  return connections
    .flat()
    .filter(({ direction }) => direction === "to-server")
    .map(saidByWorker);
}
