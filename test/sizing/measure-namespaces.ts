/** Measures what namespaces cost that have one idle worker each, and what is left of them once they rest. */
import { waitUntil } from "../kit/wait-until.js";
import { Crowd } from "./crowd.js";
import { atLeastNothing, type Figures } from "./figures.js";
import { type House, quietly, settle, startHouse } from "./house.js";
import { measureScrapes, scrape, sumIn } from "./metric-readings.js";
import type { Settings } from "./options.js";
import { memoryOf } from "./process-readings.js";
import { readRedis } from "./redis-readings.js";

type NamespaceFigure = Extract<
  keyof Figures,
  `redis${"Awake" | "Resting"}Memory` | `${string}Namespace${"Rss" | "Cpu"}` | "dispatcherNamespacesScrape"
>;

const HOSTED_LIMIT_MS = 60_000;

export async function measureNamespaces({
  NAMESPACES,
  SECONDS,
}: Settings): Promise<Pick<Figures, NamespaceFigure>> {
  const house = await startHouse({ MUSTER_MAX_NAMESPACES: "0" });
  const crowd = new Crowd({ size: NAMESPACES, agent: "sizing", namespaceOf: (index) => `n-${index}` });
  try {
    await settle(SECONDS);
    const nobody = await quietly(house, SECONDS / 4);
    const [empty, before] = [memoryOf(house.dispatcher.pid), await readRedis(house.redis)];
    await crowd.come(house.gateway);
    await waitUntil("the dispatcher hosts every namespace", async () => (await hosted(house)) >= NAMESPACES, {
      deadlineMs: HOSTED_LIMIT_MS,
      everyMs: 200,
    });
    const awake = await quietly(house, SECONDS);
    const inRedis = (await readRedis(house.redis)).dataBytes;
    const perThousand = (ofAwake: number, ofNobody: number) =>
      (1_000 / NAMESPACES) * atLeastNothing(ofAwake / awake.seconds - ofNobody / nobody.seconds);
    const { rssKiB } = memoryOf(house.dispatcher.pid);
    const scraped = await measureScrapes(house.dispatcher);
    await crowd.leave();
    await waitUntil("every namespace rests", () => allRest(house, NAMESPACES), {
      deadlineMs: HOSTED_LIMIT_MS,
      everyMs: 200,
    });
    return {
      redisAwakeMemory: (inRedis - before.dataBytes) / NAMESPACES,
      redisRestingMemory: ((await readRedis(house.redis)).dataBytes - before.dataBytes) / NAMESPACES,
      dispatcherNamespaceRss: atLeastNothing(rssKiB - empty.rssKiB) / NAMESPACES,
      dispatcherNamespaceCpu: perThousand(awake.cpuMs.dispatcher, nobody.cpuMs.dispatcher),
      gatewayNamespaceCpu: perThousand(awake.cpuMs.gateway, nobody.cpuMs.gateway),
      redisNamespaceCpu: perThousand(awake.redis.cpuMs, nobody.redis.cpuMs),
      dispatcherNamespacesScrape: scraped.wallMs,
    };
  } finally {
    await crowd.leave();
    await house.stop();
  }
}

async function hosted({ dispatcher }: House): Promise<number> {
  return sumIn(await scrape(dispatcher), "muster_actors_hosted");
}

/** The actors stay for another minute; in Redis a namespace rests from the moment that it is not marked as awake. */
async function allRest({ redis }: House, namespaces: number): Promise<boolean> {
  const asked = redis.pipeline();
  for (let index = 0; index < namespaces; index++)
    asked.hexists(`muster:{default:n-${index}}:index`, "awake");
  const answers = (await asked.exec()) ?? [];
  return answers.length === namespaces && answers.every(([error, awake]) => error === null && awake === 0);
}
