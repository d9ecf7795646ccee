/**
 * Answers that get lost on the way, between Redis and an api, and between an api and its caller: asking again, also at
 * another api, with the same request id makes one dispatch, and deletes one once.
 */
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterEach, expect, it } from "vitest";
import { scriptNames } from "../bench/script-names.js";
import { Cluster } from "./harness.js";
import { type LosingAnswers, loseAnswers } from "./losing-answers.js";
import { PYTHON } from "./workers.js";

let cluster: Cluster;
let losing: LosingAnswers | undefined;
afterEach(async () => {
  await losing?.stop();
  losing = undefined;
  await cluster?.end();
});

it("an SDK that calls again at another api gets the dispatch that it made, and there is one job", async () => {
  cluster = await Cluster.start({ gateways: 1, dispatchers: 1, apis: 2 });
  const worker = await cluster.worker({ ...PYTHON, name: "worker" });
  const [first, second] = cluster.names("api").map((name) => cluster.member(name).url);
  losing = await loseAnswers(first ?? "", { count: 1, elsewhere: [second ?? ""] });
  const client = sdk(losing.url);
  const dispatch = await client.createDispatch("room", "agent");
  expect(losing.lost).toEqual([expect.stringContaining(dispatch.id)]);
  await cluster.until("it runs", () => worker.running.size === 1);
  await cluster.submit({ room: "other", agent: "agent" });
  await cluster.until("the one behind it runs", () => worker.running.size === 2);
  expect(worker.assigned.map(({ room }) => room)).toEqual(["room", "other"]);
  expect(await sdk(second ?? "").listDispatch("room")).toMatchObject([{ id: dispatch.id }]);
});

it("a deletion whose answer got lost is done once, and asking again says that it is gone", async () => {
  cluster = await Cluster.start({ gateways: 1, dispatchers: 1, apis: 2 });
  const worker = await cluster.worker({ ...PYTHON, name: "worker" });
  const [first, second] = cluster.names("api").map((name) => cluster.member(name).url);
  const id = await cluster.submit({ room: "room", agent: "agent" });
  await cluster.until("it runs", () => worker.running.size === 1);
  losing = await loseAnswers(first ?? "", { count: 1, elsewhere: [second ?? ""] });
  await sdk(losing.url).deleteDispatch(id, "room");
  expect(losing.lost).toHaveLength(1);
  await cluster.until("the worker stopped", () => worker.running.size === 0);
  expect(worker.stopped).toHaveLength(1);
  const job = await cluster.job(await cluster.jobOf(id));
  expect(job).toMatchObject({ state: "ended", outcome: "canceled" });
});

it.each(["ledger create-order", "bullmq"])(
  "a reply of Redis to %s that the api never gets makes no second job",
  async (script) => {
    cluster = await Cluster.start({ gateways: 1, dispatchers: 1 });
    const worker = await cluster.worker({ ...PYTHON, name: "worker" });
    const names = scriptNames();
    // The script is loaded by then, so that the call which counts is the one by its sha.
    await cluster.submit({ room: "before", agent: "agent" });
    const lost = cluster
      .member("api-0")
      .loseReply(
        ({ name, firstArgument }) => name === "EVALSHA" && (names.get(firstArgument) ?? "bullmq") === script,
      );
    const id = await cluster.submit({ room: "room", agent: "agent" });
    await lost.fired;
    await cluster.submit({ room: "after", agent: "agent" });
    await cluster.until("all run", () => worker.running.size === 3);
    expect(worker.assigned.map(({ room }) => room).sort()).toEqual(["after", "before", "room"]);
    expect(await cluster.job(await cluster.jobOf(id))).toMatchObject({ attempts: "1", offers: "1" });
  },
);

function sdk(url: string): AgentDispatchClient {
  const client = new AgentDispatchClient(url, cluster.key, cluster.secret);
  // By itself it looks for another region only behind the name of LiveKit's cloud.
  const { rpc } = client as unknown as { rpc: { failoverForce: boolean } };
  rpc.failoverForce = true;
  return client;
}
