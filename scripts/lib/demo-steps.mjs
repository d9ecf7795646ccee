/**
 * The steps of the demo. Every figure is measured here, from outside, as a user of Muster would see it; when the ledger
 * says that something happened, by its clock, which is this machine's too.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessToken, AgentDispatchClient } from "livekit-server-sdk";
import { freePort, startChild, until } from "./demo-processes.mjs";
import { root } from "./run.mjs";

const KEY = "devkey";
const SECRET = "secret";
const AGENT = "demo-agent";
const ROOM = "demo-room";
const METADATA = '{"caller":"+1 555 0100"}';

/** Resolves with the exit code. */
export async function runDemo() {
  const startedAt = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "muster-demo-"));
  const children = [];
  // Ctrl-C reaches the children too; what they leave is still to be tidied up.
  const interrupted = new Promise((_resolve, reject) => {
    process.once("SIGINT", () => reject(new Error("it was interrupted")));
  });
  let code = 1;
  try {
    await Promise.race([tell(folder, children), interrupted]);
    code = 0;
  } catch (error) {
    write(`\n  The demo failed: ${error.message}\n`);
    for (const { label, tail } of children) write(`\n  The last that ${label} said:\n${tail()}\n`);
  }
  for (const child of children.reverse()) await child.stop();
  rmSync(folder, { recursive: true, force: true });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (code === 0) write(`\n  Done in ${seconds} s; everything that was started has ended.\n\n`);
  return code;
}

async function tell(folder, children) {
  write("\n  A real worker takes a real job\n\n");
  const url = `http://127.0.0.1:${await freePort()}`;
  const record = join(folder, "events.jsonl");
  await startMuster(url, folder, children);
  const worker = await startWorker(url, record, children);

  const client = new AgentDispatchClient(url, KEY, SECRET);
  const askedAtMs = Date.now();
  const asked = stopwatch();
  const dispatch = await client.createDispatch(ROOM, AGENT, { metadata: METADATA });
  asked("livekit-server-sdk asks for a dispatch, and it is kept", dispatch.id);

  const entry = await until("the agent's entry runs", worker, () => eventOf(record, "entry"));
  const job = await readJob(url, entry.job.id);
  const after = (atMs, what, detail) => line(`+${atMs - askedAtMs} ms`, `  ${what}`, detail);
  after(job.offered_at_ms, "claimed for the worker, and offered to it", job.worker_id);
  after(job.started_at_ms, "accepted; its assignment and token go out", `epoch ${job.epoch}`);
  after(entry.atMs, "the agent's entry function runs", `${entry.job.id} ${entry.job.metadata}`);

  const listing = stopwatch();
  const [listed] = await client.listDispatch(ROOM);
  const jobs = listed?.state?.jobs ?? [];
  if (jobs.length !== 1) throw new Error(`ListDispatch shows ${jobs.length} jobs in place of one`);
  listing("ListDispatch shows the job", `${jobs[0].id} ${statusName(jobs[0].state?.status)}`);

  const deleting = stopwatch();
  await client.deleteDispatch(dispatch.id, ROOM);
  await until("the agent was told to stop", worker, () => eventOf(record, "shutdown"));
  deleting("The dispatch is deleted, and the agent has shut down", dispatch.id);

  const relisting = stopwatch();
  const left = await client.listDispatch(ROOM);
  if (left.length !== 0) throw new Error(`${left.length} dispatches are left in ${ROOM}`);
  relisting("Nothing is left", ROOM);
}

async function startMuster(url, folder, children) {
  const ready = stopwatch();
  const muster = startChild("Muster", [`${root}services/standalone/dist/main.js`], {
    MUSTER_PORT: new URL(url).port,
    MUSTER_HOST: "127.0.0.1",
    MUSTER_DATA_DIR: folder,
    MUSTER_LOG_LEVEL: "warn",
  });
  children.push(muster);
  await until("Muster is ready", muster, async () => (await fetch(`${url}/readyz`)).ok);
  ready("Muster is ready, with a Redis of its own", url);
}

async function startWorker(url, record, children) {
  const registered = stopwatch();
  const worker = startChild("the worker", [`${root}test/sdk/node/worker.mjs`], {
    LIVEKIT_URL: url.replace("http", "ws"),
    LIVEKIT_API_KEY: KEY,
    LIVEKIT_API_SECRET: SECRET,
    AGENT_NAME: AGENT,
    AGENT_RECORD: record,
  });
  children.push(worker);
  const id = await until(
    "the worker registered",
    worker,
    () => /registered (\S+)/.exec(worker.output())?.[1],
  );
  registered("A stock @livekit/agents worker starts and registers", id);
  // A job that meets no process waits for one, which would be the SDK's time and not ours.
  const warm = stopwatch();
  await until("the worker has a warm process", worker, () => eventOf(record, "prewarm"));
  warm("It has a process waiting for a job", "");
  return worker;
}

async function readJob(url, id) {
  const token = new AccessToken(KEY, SECRET);
  token.addGrant({ roomAdmin: true });
  const headers = { authorization: `Bearer ${await token.toJwt()}` };
  const response = await fetch(`${url}/v1/jobs/${id}`, { headers });
  if (!response.ok)
    throw new Error(`GET /v1/jobs/${id} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** What the agent wrote down of itself; the last line may be half written. */
function eventOf(file, name) {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines
    .filter(Boolean)
    .map((written) => JSON.parse(written))
    .find(({ event }) => event === name);
}

const statusName = (status = 0) => ["pending", "running", "success", "failed"][status] ?? String(status);

function stopwatch() {
  const startedAt = performance.now();
  return (what, detail) => line(`${(performance.now() - startedAt).toFixed(0)} ms`, what, detail);
}

function line(took, what, detail) {
  const text = `${took.padStart(10)}  ${what.padEnd(55)} ${detail}`;
  write(`${text.trimEnd()}\n`);
}

const write = (text) => process.stdout.write(text);
