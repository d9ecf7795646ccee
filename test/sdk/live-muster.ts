/**
 * Owns the Muster that SDK tests talk to: the built standalone service on a Redis of its own, with fixed test keys and
 * LiveKit's own client for dispatches. When a test fails, what the service wrote last is printed.
 */
import { AgentDispatchClient } from "livekit-server-sdk";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";

/** Transcripts hold tokens signed with these: they must stay what they are, and must never be used elsewhere. */
export const API_KEY = "sdk-key";
export const API_SECRET = "sdk-secret-that-is-long-enough-for-hs256";

/** LiveKit's JobStatus. */
export const JS_PENDING = 0;
export const JS_RUNNING = 1;
export const JS_SUCCESS = 2;

const OUTPUT_TAIL_CHARACTERS = 6_000;

/** Dispatches as a backend makes and sees them, and as the ledger keeps them. */
export interface DispatchDesk {
  readonly client: AgentDispatchClient;
  /** The only job of the room's only dispatch, as a server SDK sees it. */
  jobIn(room: string): Promise<JobSeen | undefined>;
  /** The same job as the ledger keeps it: the wire has no word for an orphan. */
  recordIn(room: string): Promise<Record<string, string>>;
  /** A worker's session as the ledger keeps it. */
  sessionOf(session: string): Promise<Record<string, string>>;
  /** The only job of a dispatch, likewise. */
  recordOf(dispatch: string): Promise<Record<string, string>>;
}

export interface LiveMuster extends DispatchDesk {
  readonly url: string;
  /** Ends the process, by SIGKILL or SIGTERM, and starts another on the same port and Redis. */
  restart(how: "kill" | "stop"): Promise<void>;
  /** For vitest's onTestFailed. */
  printOutput(): void;
  stop(): Promise<void>;
}

type Dispatch = Awaited<ReturnType<AgentDispatchClient["listDispatch"]>>[number];
type JobSeen = NonNullable<Dispatch["state"]>["jobs"][number];

export async function startLiveMuster(env: Record<string, string> = {}): Promise<LiveMuster> {
  const redis = await startRedis();
  const start = (port: Record<string, string> = {}) =>
    startService("standalone", {
      MUSTER_REDIS_URL: redis.url,
      MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
      MUSTER_LOG_LEVEL: "debug",
      ...env,
      ...port,
    });
  let muster = await start().catch(async (error: unknown) => {
    await redis.stop();
    throw error;
  });
  return {
    url: muster.url,
    ...dispatchDesk(muster.url, redis),
    async restart(how) {
      await muster[how]();
      muster = await start({ MUSTER_PORT: String(muster.port) });
    },
    printOutput: () => printTail(muster),
    async stop() {
      await muster.stop();
      await redis.stop();
    },
  };
}

/** At the api that listens there. */
export function dispatchDesk(url: string, redis: RedisServer): DispatchDesk {
  const client = new AgentDispatchClient(url, API_KEY, API_SECRET);
  const records = redis.client();
  const jobIn = async (room: string) => (await client.listDispatch(room))[0]?.state?.jobs[0];
  const recordIn = async (room: string) => records.hgetall(`muster:{default}:job:${(await jobIn(room))?.id}`);
  const sessionOf = (session: string) => records.hgetall(`muster:{default}:session:${session}`);
  const recordOf = async (dispatch: string) => {
    const [job = ""] = await records.zrange(`muster:{default}:order-jobs:${dispatch}`, "0", "0");
    return records.hgetall(`muster:{default}:job:${job}`);
  };
  return { client, jobIn, recordIn, recordOf, sessionOf };
}

export function printTail(service: ServiceProcess): void {
  process.stdout.write(`${service.output().slice(-OUTPUT_TAIL_CHARACTERS)}\n`);
}
