/**
 * Twenty seconds without Redis, with the times that Muster ships with: sockets stay, nothing changes hands, what a worker
 * says meanwhile counts, and what is asked for meanwhile is refused or answered late, and done once.
 */
import { HOLD_MS, LEASE_MS } from "@muster/domain/timing";
import { afterEach, expect, it } from "vitest";
import { roomToken } from "../kit/access-tokens.js";
import { LongOutage, OUTAGE_MS } from "./long-outage.js";

const ZONE = "zone";
const JOBS = 3;

let outage: LongOutage;
afterEach(() => outage?.cluster.end());

it.each(["stopped", "frozen"] as const)(
  "%s, it costs no job its worker, and no order is lost or done twice",
  async (how) => {
    outage = await LongOutage.prepare([ZONE]);
    const { cluster } = outage;
    const python = await outage.worker("python", ZONE);
    const node = await outage.worker("node", ZONE);
    for (let index = 0; index < JOBS; index++) await outage.order("python", ZONE, `${index}`);
    await outage.order("node", ZONE, "0");
    await outage.until("all run", () => python.running.size === JOBS && node.running.size === 1);
    const sessions = [python.id, node.id];
    const [finished = "", ...left] = python.running.keys();
    // Whoever would be given what is resumed.
    await outage.worker("python", ZONE);
    await outage.worker("node", ZONE);

    const awayAtMs = performance.now();
    if (how === "stopped") await cluster.killRedis();
    else await cluster.freezeRedis();
    // One caller waits for its answer, another one is impatient and asks again and again.
    const asked = ask("asked-late");
    const repeated = outage.order("python", ZONE, "repeated-late");
    await outage.pass("the outage is over", awayAtMs, OUTAGE_MS);
    python.finish(finished);
    if (how === "stopped") await cluster.restartRedis();
    else await cluster.thawRedis();
    const backAtMs = performance.now();
    await repeated;
    const { status, body } = await asked;
    if (status === 200) expect(body.id).toMatch(/^AD_/);
    else expect({ status, code: body.code }).toEqual({ status: 503, code: "unavailable" });
    const again = await Promise.all([ask("asked-late"), ask("asked-late")]);
    for (const { body: repeat } of again)
      expect(repeat.id).toBe(status === 200 ? body.id : again[0]?.body.id);
    await outage.until("what was asked for meanwhile runs", () => outage.rooms("late").length === 2);

    // What had looked lost in the outage would be dealt with by then.
    await outage.pass("every hold is over", backAtMs, LEASE_MS + HOLD_MS + 2_000);
    expect([python.id, node.id]).toEqual(sessions);
    for (const wire of left)
      expect(await outage.job(ZONE, wire)).toMatchObject({
        state: "running",
        session: python.id,
        epoch: "1",
      });
    for (const wire of node.running.keys())
      expect(await outage.job(ZONE, wire)).toMatchObject({ state: "starting", session: node.id, epoch: "1" });
    expect(await outage.job(ZONE, finished)).toMatchObject({ outcome: "success", epoch: "1" });
    expect(cluster.witness.counts).toMatchObject({ lost: 0, starts: JOBS + 3 });

    for (const wire of left) python.finish(wire);
    await outage.until("what ran ends well", async () => {
      const jobs = await Promise.all(left.map((wire) => outage.job(ZONE, wire)));
      return jobs.every(({ outcome }) => outcome === "success");
    });
    for (const kind of ["python", "node"] as const) await outage.order(kind, ZONE, "new");
    await outage.until("new work is served", () => outage.rooms("new").length === 2);
  },
  90_000,
);

/** One call, always with the same request id, by a caller who waits for as long as it takes. */
async function ask(name: string): Promise<{ status: number; body: { id?: string; code?: string } }> {
  const { cluster } = outage;
  const room = `python-${ZONE}-${name}`;
  const { url } = cluster.member("api-0");
  const response = await fetch(`${url}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${roomToken(cluster.key, cluster.secret, room)}`,
      "content-type": "application/json",
      "x-livekit-request-id": name,
    },
    body: JSON.stringify({ room, agentName: `python-${ZONE}` }),
    signal: AbortSignal.timeout(2 * OUTAGE_MS),
  });
  return { status: response.status, body: (await response.json()) as { id?: string; code?: string } };
}
