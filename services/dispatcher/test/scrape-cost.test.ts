/** What it costs to read a dispatcher's metrics when it hosts a great many: no question to Redis, and no time to speak of. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { newId } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("scrape-cost");

const NAMESPACES = 5_000;
const WORKERS_EACH = 4;
const AGENTS = 60;
/** What Prometheus is told to wait for by default is 10 s. */
const SCRAPE_LIMIT_MS = 250;
const SCRAPES = 20;

async function fill(gateway: string): Promise<void> {
  const namespaces = Array.from({ length: NAMESPACES }, stage.freshNamespace);
  const work = async () => {
    for (let namespace = namespaces.pop(); namespace !== undefined; namespace = namespaces.pop()) {
      const agent = `agent-${namespaces.length % AGENTS}`;
      for (let count = 0; count < WORKERS_EACH; count++)
        await stage.caller.session(namespace, agent, gateway, { told: false, leaseMs: 600_000 });
    }
  };
  await Promise.all(Array.from({ length: 64 }, work));
}

it("with 5,000 namespaces and 20,000 workers", { timeout: 120_000 }, async () => {
  await fill(newId("node"));
  const dispatcher = await stage.dispatcher({ leaseMs: 5_000 });
  await waitUntil("it hosts them all", () => dispatcher.hosted() === NAMESPACES, { deadlineMs: 60_000 });

  const tookMs: number[] = [];
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const before = dispatcher.commands.total();
    const beganAtMs = performance.now();
    await dispatcher.metrics.render();
    tookMs.push(performance.now() - beganAtMs);
    // Rendering takes no turn of the event loop, so that whatever is asked meanwhile is asked by the scrape. The first one
    // sets the measuring going that goes on beside them.
    if (scrape > 0) expect(dispatcher.commands.total()).toBe(before);
    await new Promise((resolve) => setImmediate(resolve));
  }
  tookMs.sort((a, b) => a - b);
  expect(tookMs.at(-1)).toBeLessThan(SCRAPE_LIMIT_MS);

  const available = async () => {
    let sum = 0;
    for (const line of (await dispatcher.metrics.render()).split("\n"))
      if (/^muster_agent_workers\{.*state="available"/.test(line)) sum += Number(line.split(" ").at(-1));
    return sum;
  };
  const all = NAMESPACES * WORKERS_EACH;
  await waitUntil("they are all counted", async () => (await available()) === all, { deadlineMs: 60_000 });
  expect(await dispatcher.metric('agent_workers{agent="other",state="available"}')).toBeGreaterThan(0);
});
