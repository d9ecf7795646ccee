/** Our outgoing webhooks, as the receiver of LiveKit's own SDK reads them. */
import { JobStatus, JobType } from "@livekit/protocol";
import { JOB_EVENT_NAMES, type JobEvent } from "@muster/domain/job-event";
import { encodeParticipant, encodeRoom } from "@muster/wire/job-message";
import { encodeJobWebhook, signWebhook } from "@muster/wire/job-webhook";
import { decodeWebhookEvent } from "@muster/wire/webhook-event";
import { WebhookReceiver } from "livekit-server-sdk";
import { describe, expect, it, test } from "vitest";

const [API_KEY, API_SECRET] = ["devkey", "secret"];
const EVENT: JobEvent = {
  id: "EV_1",
  event: "agent_job_ended",
  atMs: 1_767_225_600_999,
  namespace: "default:blue",
  job: "AJ_1",
  order: "AD_1",
  type: "publisher",
  agentName: "greeter",
  deployment: "canary",
  room: "r",
  roomSid: "RM_1",
  state: "ended",
  outcome: "failed",
  reason: "worker_lost",
  error: "the worker was lost",
  worker: "AW_2",
  fromWorker: "",
  agentIdentity: "agent-AJ_1",
  wire: "AJ_1.2",
  epoch: 3,
  attempts: 2,
  ...{ fromAgentName: "", fromDeployment: "", position: 0, estimatedWaitMs: 0, held: false },
  startedAtMs: 1_767_225_500_000,
  endedAtMs: 1_767_225_600_999,
};
const receiver = new WebhookReceiver(API_KEY, API_SECRET);
const signed = (body: string, nowMs = Date.now()) =>
  signWebhook(body, { apiKey: API_KEY, apiSecret: API_SECRET, nowMs });

test("livekit-server-sdk's receiver accepts it, with the job in LiveKit's own field", async () => {
  const body = encodeJobWebhook(EVENT, {
    metadata: '{"lang":"dé"}',
    attributes: { tier: "gold" },
    room: encodeRoom({ sid: "RM_1", name: "r", metadata: "of the room" }),
    participant: encodeParticipant({ sid: "PA_1", identity: "ada" }),
  });
  const received = await receiver.receive(body, signed(body));
  expect(received.event).toBe("agent_job_ended");
  expect(received.id).toBe("EV_1");
  expect(received.createdAt).toBe(1_767_225_600n);
  expect(received.room).toMatchObject({ sid: "RM_1", name: "r", metadata: "of the room" });
  expect(received.job).toMatchObject({
    id: "AJ_1",
    dispatchId: "AD_1",
    type: JobType.JT_PUBLISHER,
    namespace: "blue",
    metadata: '{"lang":"dé"}',
    attributes: { tier: "gold" },
    agentName: "greeter",
    deployment: "canary",
    participant: { identity: "ada" },
    state: {
      status: JobStatus.JS_FAILED,
      error: "the worker was lost",
      startedAt: 1_767_225_500_000_000_000n,
      endedAt: 1_767_225_600_999_000_000n,
      participantIdentity: "agent-AJ_1",
      workerId: "AW_2",
    },
  });
});

test("of a job that was canceled it says why, where the status does not and nothing is kept", async () => {
  const body = encodeJobWebhook({ ...EVENT, outcome: "canceled", reason: "room_closed", error: "" });
  const { job } = await receiver.receive(body, signed(body));
  expect(job?.state?.error).toBe("canceled: the room closed while the job waited");
  expect(JSON.parse(body).muster).toMatchObject({ error: "the room closed while the job waited" });
});

describe("the receiver", () => {
  it.each(JOB_EVENT_NAMES)("accepts %s, thin as it is", async (event) => {
    const body = encodeJobWebhook({ ...EVENT, event });
    const received = await receiver.receive(body, signed(body));
    expect(received).toMatchObject({ event, room: { name: "r", sid: "RM_1" }, job: { id: "AJ_1" } });
  });

  it("refuses another body, another secret, and one that is too old", async () => {
    const body = encodeJobWebhook(EVENT);
    await expect(receiver.receive(`${body} `, signed(body))).rejects.toThrow("sha256");
    const forged = signWebhook(body, { apiKey: API_KEY, apiSecret: "another", nowMs: Date.now() });
    await expect(receiver.receive(body, forged)).rejects.toThrow("signature");
    await expect(receiver.receive(body, signed(body, Date.now() - 320_000))).rejects.toThrow("exp");
  });
});

test("what LiveKit has no field for stands beside it, and our own receiver passes over it too", () => {
  const body = encodeJobWebhook({
    ...EVENT,
    event: "agent_job_parked",
    state: "parked",
    outcome: "",
    ...{ position: 4, estimatedWaitMs: 9_000 },
  });
  expect(JSON.parse(body).muster).toEqual({
    ...{ id: "EV_1", event: "agent_job_parked", at_ms: EVENT.atMs, namespace: "blue", job_id: "AJ_1" },
    ...{ order_id: "AD_1", type: "publisher", agent_name: "greeter", deployment: "canary", room: "r" },
    ...{
      room_sid: "RM_1",
      state: "parked",
      outcome: null,
      reason: "worker_lost",
      error: "the worker was lost",
    },
    ...{ worker_id: "AW_2", previous_worker_id: null, participant_identity: "agent-AJ_1" },
    ...{ worker_job_id: "AJ_1.2", epoch: 3, attempts: 2 },
    ...{ position: 4, estimated_wait_ms: 9_000, held: false },
  });
  expect(JSON.parse(encodeJobWebhook(EVENT)).muster).not.toHaveProperty("position");
  expect(decodeWebhookEvent(Buffer.from(body))).toMatchObject({
    event: "agent_job_parked",
    job: { id: "AJ_1" },
  });
});

test("of a job that is on hold no place in line is told, and no estimate; of a fallback step, who was asked before", () => {
  const muster = (event: Partial<JobEvent>) =>
    JSON.parse(encodeJobWebhook({ ...EVENT, state: "parked", ...event })).muster as Record<string, unknown>;
  const held = muster({ event: "agent_job_parked", held: true });
  expect(held).toMatchObject({ held: true, position: null, estimated_wait_ms: null });
  expect(held).not.toHaveProperty("previous_agent_name");
  const from = { fromAgentName: "first", fromDeployment: "blue" };
  const fellBack = muster({ event: "agent_job_fallback", state: "queued", ...from });
  expect(fellBack).toMatchObject({ previous_agent_name: "first", previous_deployment: "blue" });
  expect(fellBack).not.toHaveProperty("held");
});
