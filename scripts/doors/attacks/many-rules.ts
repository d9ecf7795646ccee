/** An operator's script that goes wrong makes thousands of rules; each room's look then goes over all of them. */
import { createHash } from "node:crypto";
import { signAccessToken } from "@muster/wire/access-token";
import { type Attack, MARK, type Scene } from "../attack.js";
import { KEY, SECRET } from "../tokens.js";

const AT_ONCE = 16;
const ROOMS = 50;
/** What a project has by default, and a few that others made meanwhile. */
const MOST_RULES = 510;
/** Of its time, for making them. */
const MAKING = 0.6;

export const manyRules: Attack = {
  name: "many-rules",
  about: "an operator makes 5,000 rules, and 50 rooms begin",
  leaves: "allowed",
  spoils: true,
  leastSeconds: 5,
  run: async (scene) => {
    const { api, seconds, signal, tokens } = scene;
    const untilMs = performance.now() + 1_000 * MAKING * seconds;
    const authorization = `Bearer ${tokens.operator()}`;
    const headers = { authorization, "content-type": "application/json" };
    const most = scene.sized(5_000, 1_200);
    let [made, refused, next] = [0, 0, 0];
    const maker = async () => {
      while (next < most && performance.now() < untilMs && !signal.aborted) {
        const id = `${MARK}-${next++}`;
        const pattern = `*${"?".repeat(next % 20)}${id}*`;
        const body = JSON.stringify({ when: { room_pattern: pattern }, orders: [{ agent_name: id }] });
        const answer = await fetch(`${api}/v1/rules/${id}`, { method: "PUT", headers, body });
        await answer.body?.cancel();
        if (answer.ok) made++;
        else refused++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, maker));
    const looks = await beginRooms(scene);
    return {
      figures: { made, refused, lookMs: looks },
      broken: made > MOST_RULES ? [`${made} rules were taken`] : [],
    };
  },
};

/** As LiveKit tells of them; answers how long the slowest took, but for one. */
async function beginRooms({ api, signal }: Scene): Promise<number> {
  const times: number[] = [];
  for (let room = 0; room < ROOMS && !signal.aborted; room++) {
    const event = {
      event: "room_started",
      id: `EV_${MARK}${room}`,
      createdAt: String(Math.floor(Date.now() / 1_000)),
      room: { sid: `RM_${MARK}${room}`, name: `${"a".repeat(200)}-${MARK}-room-${room}` },
    };
    const body = JSON.stringify(event);
    const sha256 = createHash("sha256").update(body).digest("base64");
    const authorization = signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), sha256 });
    const startedAtMs = performance.now();
    const answer = await fetch(`${api}/webhook`, {
      method: "POST",
      headers: { authorization, "content-type": "application/webhook+json" },
      body,
    });
    await answer.body?.cancel();
    times.push(performance.now() - startedAtMs);
  }
  return times.toSorted((a, b) => a - b).at(-2) ?? 0;
}
