import { waitUntil } from "@muster/test/kit/wait-until";
import { TokenVerifier } from "livekit-server-sdk";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  API_KEY,
  API_SECRET,
  agentToken,
  bench,
  cleanUp,
  OTHER_KEY,
  OTHER_SECRET,
  stopRedis,
  TRANSPORT_KINDS,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

describe.each(TRANSPORT_KINDS)("an offer on %s", (transport) => {
  it("is asked, accepted and assigned, with a token that LiveKit's own verifier takes", async () => {
    const { start, worker, dispatcher, field } = await bench();
    const gateway = await start({ transport, policy: { workerLivekitUrl: "wss://livekit.example" } });
    const connected = await worker(gateway, {
      token: agentToken({ apiKey: OTHER_KEY, apiSecret: OTHER_SECRET }),
    });
    await connected.register({ agentName: "agent", namespace: field });
    const { order, job } = await dispatcher.order({ room: "lobby", metadata: "m", attributes: { a: "b" } });
    const startedAtMs = Date.now();
    await dispatcher.offer(job);

    const request = await connected.next("availability");
    expect(request.resuming).toBe(false);
    expect(request.job).toMatchObject({
      id: job,
      dispatchId: order,
      type: 0,
      room: { name: "lobby" },
      participant: null,
      namespace: field,
      metadata: "m",
      attributes: { a: "b" },
      agentName: "agent",
      state: { status: 1, workerId: connected.id },
    });
    expect(Number((request.job?.state?.startedAt ?? 0n) / 1_000_000n)).toBeGreaterThanOrEqual(startedAtMs);

    connected.accept(job, {
      participantIdentity: "me",
      participantName: "Me",
      participantMetadata: "mine",
      participantAttributes: { x: "y" },
    });
    const assignment = await connected.next("assignment");
    expect(assignment.url).toBe("wss://livekit.example");
    expect(assignment.job).toMatchObject({ id: job, state: { status: 1, participantIdentity: "me" } });
    const claims = await new TokenVerifier(OTHER_KEY, OTHER_SECRET).verify(assignment.token);
    expect(claims).toMatchObject({
      sub: "me",
      name: "Me",
      metadata: "mine",
      kind: "agent",
      video: { roomJoin: true, room: "lobby", agent: true, canPublish: true, canSubscribe: true },
      attributes: { x: "y", "lk.agent_name": "agent", "muster.job": job, "muster.epoch": "1" },
    });
    expect(await dispatcher.job(job)).toMatchObject({
      state: "starting",
      session: connected.id,
      agent_identity: "me",
      attempts: "1",
    });
    expect(gateway.counts["offer_ended.accepted"]).toBe(1);
  });

  it("is asked and answered in JSON by a JSON worker", async () => {
    const { start, worker, dispatcher, field } = await bench();
    const gateway = await start({ transport });
    const connected = await worker(gateway, { json: true });
    await connected.register({ agentName: "agent", namespace: field });
    const { job } = await dispatcher.order();
    await dispatcher.offer(job);
    expect((await connected.next("availability")).job?.id).toBe(job);
    connected.accept(job);
    const { token, url } = await connected.next("assignment");
    expect((await new TokenVerifier(API_KEY, API_SECRET).verify(token)).sub).toBe(`agent-${job}`);
    expect(url).toBeNull();
  });
});

it("mints with the permissions of the registration", async () => {
  const { start, worker, dispatcher, field } = await bench();
  const gateway = await start();
  const connected = await worker(gateway);
  const { ParticipantPermission } = await import("@muster/wire/generated/livekit");
  const allowedPermissions = ParticipantPermission.create({ canSubscribe: true, hidden: true });
  const { workerId } = await connected.register({ agentName: "agent", namespace: field, allowedPermissions });
  expect(JSON.parse((await dispatcher.session(workerId)).permissions ?? "")).toEqual({
    canSubscribe: true,
    hidden: true,
  });
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await connected.next("availability");
  connected.accept(job);
  const { token } = await connected.next("assignment");
  const claims = await new TokenVerifier(API_KEY, API_SECRET).verify(token);
  expect(claims.video).toMatchObject({
    canSubscribe: true,
    hidden: true,
    canPublish: false,
    canPublishData: false,
  });
});

it("goes on to the next when the worker says no, and tells the dispatcher", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.reject(job);
  await waitUntil("the dispatcher hears of it", () =>
    dispatcher.told.some((m) => m.kind === "admit" && m.job === job),
  );
  expect(await dispatcher.job(job)).toMatchObject({ state: "queued", excluded: worker.id, session: "" });
  expect(gateway.counts["offer_ended.rejected"]).toBe(1);
});

it("ends the job when the worker says that nobody shall be asked", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.reject(job, { terminate: true });
  await waitUntil("the job ended", async () => (await dispatcher.job(job)).state === "ended");
  expect(await dispatcher.job(job)).toMatchObject({ outcome: "success", cause: "terminated_by_worker" });
  expect(dispatcher.told).toEqual([]);
});

it("has the pool served when a no makes room for who waits", async () => {
  const { start, registered, dispatcher, ledger, namespace } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const first = await dispatcher.order();
  await dispatcher.offer(first.job);
  const second = await dispatcher.order();
  const parked = await ledger.admit({ namespace, job: second.job, offerMs: 5_000, retryMs: 500, scan: 32 });
  expect(parked.status).toBe("parked");
  await worker.next("availability");
  worker.reject(first.job);
  await waitUntil("the dispatcher is told to serve the pool", () =>
    dispatcher.told.some((message) => message.kind === "serve" && message.pool === "room/agent/"),
  );
});

it("takes silence for an answer, lets the worker cool down, and ignores what it says later", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { offerTimeoutMs: 100 } });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  await registered(gateway); // the last of a pool is not ejected
  await waitUntil("the job is queued again", async () => (await dispatcher.job(job)).state === "queued");
  expect(await dispatcher.job(job)).toMatchObject({ excluded: worker.id });
  const { health, struck } = await dispatcher.session(worker.id);
  expect({ health, struck }).toMatchObject({ health: "ejected", struck: expect.stringMatching(/^silent,/) });
  worker.accept(job);
  await worker.ping();
  expect(gateway.counts.answer_ignored).toBe(1);
  expect(worker.count("assignment")).toBe(0);
  expect((await dispatcher.job(job)).state).toBe("queued");
});

it("carries the number of the offer in later wire ids, and takes no answer to an earlier one", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const first = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await first.next("availability");
  first.reject(job);
  await waitUntil("the job is queued again", async () => (await dispatcher.job(job)).state === "queued");
  const second = await registered(gateway);
  const offer = await dispatcher.offer(job);
  expect(offer).toMatchObject({ wire: `${job}.2`, session: second.id, epoch: 2 });
  expect((await second.next("availability")).job?.id).toBe(`${job}.2`);
  first.accept(job);
  second.accept(job);
  await Promise.all([first.ping(), second.ping()]);
  expect(gateway.counts.answer_ignored).toBe(2);
  second.accept(`${job}.2`);
  const { job: assigned, token } = await second.next("assignment");
  expect(assigned?.id).toBe(`${job}.2`);
  const claims = await new TokenVerifier(API_KEY, API_SECRET).verify(token);
  expect(claims.attributes?.["muster.epoch"]).toBe("2");
  expect(claims.sub).toBe(`agent-${job}`);
});

it("is asked once however often the message comes, and accepted once however often the worker says yes", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  const offer = await dispatcher.offer(job);
  await dispatcher.send(gateway.nodeId, offer);
  await worker.next("availability");
  worker.accept(job);
  worker.accept(job);
  worker.reject(job, { terminate: true });
  await worker.next("assignment");
  await worker.ping();
  expect(worker.count("availability")).toBe(1);
  expect(worker.count("assignment")).toBe(1);
  expect(gateway.counts.answer_ignored).toBe(2);
  expect(await dispatcher.job(job)).toMatchObject({ state: "starting", attempts: "1" });
});

it("is not asked, nor assigned, again by a message that comes twice, the second time after the assignment", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  const offer = await dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  await dispatcher.send(gateway.nodeId, offer);
  // Behind it in the same inbox: once this one is counted, the repeat has been dealt with.
  await dispatcher.send(gateway.nodeId, { kind: "else" });
  await waitUntil("both are read", () => gateway.counts["unroutable.malformed"] === 1);
  await worker.ping();
  expect(worker.count("availability")).toBe(1);
  expect(worker.count("assignment")).toBe(1);
});

it("takes an answer that is too long for a no", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job, { participantIdentity: "i".repeat(513) });
  await waitUntil("the job is queued again", async () => (await dispatcher.job(job)).state === "queued");
  expect(await dispatcher.job(job)).toMatchObject({ excluded: worker.id, agent_identity: "" });
  expect(worker.count("assignment")).toBe(0);
  expect(worker.isOpen).toBe(true);
});

it("counts what is no message for a gateway, and goes on", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  for (const odd of [null, 7, {}, { kind: "offer" }, { kind: "stop", session: 1 }, { kind: "else" }]) {
    await dispatcher.send(gateway.nodeId, odd);
  }
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  expect((await worker.next("availability")).job?.id).toBe(job);
  expect(gateway.counts["unroutable.malformed"]).toBe(6);
});
