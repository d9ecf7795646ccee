/**
 * The table of docs/SECURITY.md is what the doors do: each is asked with each token over the wire, and the page has the table as
 * the code would write it.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROUTE_GRANTS } from "@muster/api/rest/route-grants";
import { signAccessToken } from "@muster/wire/access-token";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grantTable, HOLDERS, OTHER_DOORS, opens, restDoors } from "../../scripts/lib/door-grants.mjs";
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { connectWorker, UpgradeRefused } from "../kit/worker-client.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = `${root}docs/SECURITY.md`;
const key = { apiKey: "grants-key", apiSecret: "grants-secret-that-is-long-enough" };
/** Of one room, these must name it. */
const ASKED_BY_ROOM = ["/v1/orders", "/v1/events"];
const BODY = JSON.stringify({ room: "room", agent_name: "agent" });

let redis: RedisServer;
let livekit: LivekitStandIn;
let muster: ServiceProcess;
let doors: [door: string, grant: string][];

beforeAll(async () => {
  redis = await startRedis();
  livekit = await startLivekitStandIn(key);
  muster = await startService("standalone", {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${key.apiKey}: ${key.apiSecret}`,
    MUSTER_LIVEKIT_URL: livekit.url,
    MUSTER_CREATE_ROOMS: "false",
  });
  const document = await (await fetch(`${muster.url}/v1/openapi.json`)).json();
  const { paths } = document as { paths: Parameters<typeof restDoors>[0] };
  doors = [...Object.entries(OTHER_DOORS), ...restDoors(paths, ROUTE_GRANTS)];
});
afterAll(async () => {
  await muster?.kill();
  await livekit?.stop();
  await redis?.stop();
});

type Holder = keyof typeof HOLDERS;

function tokenOf(holder: Holder): string | undefined {
  const video = HOLDERS[holder];
  return video && signAccessToken({ ...key, nowMs: Date.now(), identity: holder, video });
}

/** Whether a door lets this token in, whatever it then says of the request. */
async function letsIn(door: string, token: string | undefined): Promise<boolean> {
  const [method = "", template = ""] = door.split(" ");
  if (template === "/agent") return await opensAgent(token);
  const path = template
    .replace("livekit.<other", "livekit.Egress/ListEgress")
    .replace("{agent}", "agent")
    .replace("{id}", "AJ_nobody");
  const isForRoom = method === "GET" && ASKED_BY_ROOM.includes(path);
  const answer = await fetch(`${muster.url}${path}${isForRoom ? "?room=room" : ""}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(["POST", "PUT", "PATCH"].includes(method) && { body: BODY }),
  });
  await answer.body?.cancel();
  return answer.status !== 401 && answer.status !== 403;
}

async function opensAgent(token: string | undefined): Promise<boolean> {
  try {
    const client = await connectWorker({ url: muster.url, ...(token !== undefined && { token }) });
    client.cut();
    return true;
  } catch (error) {
    if (error instanceof UpgradeRefused && [401, 403].includes(error.status)) return false;
    throw error;
  }
}

test.each(Object.keys(HOLDERS))("%s opens the doors of the table, and no other", async (holder) => {
  const found: Record<string, boolean> = {};
  for (const [door] of doors) found[door] = await letsIn(door, tokenOf(holder));
  const expected = doors.map(([door, grant]) => [door, opens(grant, HOLDERS[holder])]);
  expect(found).toEqual(Object.fromEntries(expected));
});

test("the admin of one room is refused in another", async () => {
  const elsewhere = { room: "elsewhere", agent_name: "agent" };
  const calls = ["/v1/orders", "/twirp/livekit.AgentDispatchService/CreateDispatch"].map(async (path) => {
    const headers = {
      authorization: `Bearer ${tokenOf("admin of a room")}`,
      "content-type": "application/json",
    };
    return (await fetch(`${muster.url}${path}`, { method: "POST", headers, body: JSON.stringify(elsewhere) }))
      .status;
  });
  expect(await Promise.all(calls)).toEqual([403, 401]);
});

describe("docs/SECURITY.md", () => {
  test("has the table of these very routes", () => {
    expect(readFileSync(page, "utf8"), "stale; npm run docs writes it").toContain(grantTable(doors));
  });

  test("is as npm run docs writes it", () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-security-"));
    try {
      const copy = join(folder, "SECURITY.md");
      copyFileSync(page, copy);
      const { status, stderr } = spawnSync(process.execPath, ["scripts/write-security.mjs", copy], {
        cwd: root,
        encoding: "utf8",
      });
      expect(status, stderr).toBe(0);
      expect(readFileSync(copy, "utf8"), "stale; npm run docs writes it").toBe(readFileSync(page, "utf8"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
