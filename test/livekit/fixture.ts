/** What a real livekit-server said while a story was played, and whom it listed then. Written by real-rooms.test. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Listed } from "./room-orders.js";
import type { TappedWebhook } from "./webhook-tap.js";

export interface Fixture {
  story: string;
  /** Of livekit-server. */
  version: string;
  room: string;
  /** In the order in which they came. */
  webhooks: TappedWebhook[];
  there: Listed[];
}

const FOLDER = fileURLToPath(new URL("./fixtures/", import.meta.url));

export function readFixtures(): Fixture[] {
  return readdirSync(FOLDER).map((file) => JSON.parse(readFileSync(`${FOLDER}${file}`, "utf8")) as Fixture);
}

export function writeFixture(fixture: Fixture): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${fixture.story}.json`, `${JSON.stringify(fixture, undefined, 2)}\n`);
}
