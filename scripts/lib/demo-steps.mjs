/**
 * The steps of the demo. Every figure is measured here, from outside, as a user of Muster would see it.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessToken, AgentDispatchClient } from "livekit-server-sdk";
import { root } from "./run.mjs";

const KEY = "devkey";
const SECRET = "secret";
const AGENT = "demo-agent";
const ROOM = "demo-room";
const STEP_DEADLINE_MS = 30_000;

export async function runDemo() {
  const folder = mkdtempSync(join(tmpdir(), "muster-demo-"));
  const children = [];
  try {
    await tell(folder, children);
    return 0;
  } catch (error) {
    process.stdout.write(`\nThe demo failed: ${error.message}\n`);
    for (const child of children) process.stdout.write(`\n--- ${child.label} ---\n${child.output()}\n`);
    return 1;
  } finally {
    for (const child of children.reverse()) await child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tell(folder, children) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const record = join(folder, "events.jsonl");

  let since = performance.now();
  const muster = start("muster", [`${root}services/standalone/dist/main.js`], {
    MUSTER_PORT: String(port),
    MUSTER_HOST: "127.0.0.1",
    MUSTER_DATA_DIR: folder,
    MUSTER_LOG_LEVEL: "warn",
  });
  children.push(muster);
  await until("Muster is ready", async () => (await fetch(`${url}/readyz`)).ok, muster);
  say("Muster is ready, with a Redis of its own", since, url);

  since = performance.now();
  const worker = start("worker", [`${root}test/sdk/node/worker.mjs`], {
    LIVEKIT_URL: url.replace("http", "ws"),
    LIVEKIT_API_KEY: KEY,
    LIVEKIT_API_SECRET: SECRET,
    AGENT_NAME: AGENT,
    AGENT_RECORD: record,
  });
  children.push(worker);
  const session = await until(
    "the worker registered",
    () => /registered (\S+)/.exec(worker.output())?.[1],
    worker,
  );
  say("A stock @livekit/agents worker connected and registered", since, session);
  // Its first process starts with it; a job that meets none waits for one.
  await until(
    "the worker has a warm process",
    () => events(record).some(({ event }) => event === "prewarm"),
    worker,
  );
  say("It has a process waiting for a job", since, "");

  const client = new AgentDispatchClient(url, KEY, SECRET);
  since = performance.now();
  const askedAt = Date.now();
  const dispatch = await client.createDispatch(ROOM, AGENT, { metadata: '{"caller":"+1 555 0100"}' });
  say("livekit-server-sdk asked for a dispatch; it is kept", since, dispatch.id);

  const entry = await until(
    "the agent's entry runs",
    () => events(record).find(({ event }) => event === "entry"),
    worker,
  );
  const { job } = entry;
  const steps = await readJob(url, job.id);
  const after = (atMs, what, detail) => line(atMs - steps.createdAtMs, what, detail);
  after(steps.offeredAtMs, "  … claimed for the worker, and offered to it", steps.session);
  after(steps.startedAtMs, "  … accepted; the assignment with its token went out", `epoch ${steps.epoch}`);
  line(entry.atMs - askedAt, "  … the agent's entry function runs", job.id);
  process.stdout.write(`            room ${job.room.name}, metadata ${job.metadata}\n`);

  since = performance.now();
  const [listed] = await client.listDispatch(ROOM);
  say(
    "ListDispatch shows the job",
    since,
    `${listed.state.jobs.length} job, ${statusName(listed.state.jobs[0].state.status)}`,
  );

  since = performance.now();
  await client.deleteDispatch(dispatch.id, ROOM);
  await until(
    "the agent was told to stop",
    () => events(record).some(({ event }) => event === "shutdown"),
    worker,
  );
  say("The dispatch was taken back; the agent shut down", since, job.id);

  const left = await client.listDispatch(ROOM);
  process.stdout.write(`\nDone: ${left.length} dispatches left in ${ROOM}.\n`);
}

const statusName = (status) => ["pending", "running", "success", "failed"][status] ?? String(status);

const say = (what, since, detail) => line(performance.now() - since, what, detail);

function line(tookMs, what, detail) {
  process.stdout.write(`${tookMs.toFixed(0).padStart(6)} ms  ${what.padEnd(56)} ${detail}\n`);
}

async function readJob(url, id) {
  const token = new AccessToken(KEY, SECRET);
  token.addGrant({ roomAdmin: true });
  const response = await fetch(`${url}/v1/jobs/${id}`, {
    headers: { authorization: `Bearer ${await token.toJwt()}` },
  });
  if (!response.ok)
    throw new Error(`GET /v1/jobs/${id} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

function start(label, args, env) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    label,
    output: () => output,
    ended: () => child.exitCode !== null,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

async function until(what, check, child) {
  const deadline = performance.now() + STEP_DEADLINE_MS;
  for (;;) {
    const value = await Promise.resolve()
      .then(check)
      .catch(() => undefined);
    if (value) return value;
    if (child.ended()) throw new Error(`${child.label} ended while waiting until ${what}`);
    if (performance.now() > deadline)
      throw new Error(`waited ${STEP_DEADLINE_MS / 1000} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function events(file) {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
