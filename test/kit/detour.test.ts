/** What the detour does to a process that knows nothing of it. */
import { execFile } from "node:child_process";
import type { Server } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listenOnFreePort } from "./flaky-proxy/listen.js";
import { freePort } from "./ports.js";

const DETOUR = fileURLToPath(new URL("./detour.mjs", import.meta.url));
const SAY_WHAT_IS_HEARD = `
  require("node:net").connect(Number(process.argv[1]), "127.0.0.1").pipe(process.stdout);
`;

let told: { port: number; server: Server };
let other: { port: number; server: Server };

beforeAll(async () => {
  told = await listenOnFreePort((client) => void client.end("told"));
  other = await listenOnFreePort((client) => void client.end("other"));
});
afterAll(() => {
  told.server.close();
  other.server.close();
});

it("leads connections to a port elsewhere, and others where they were meant to go", async () => {
  const detours = `${told.port}:${other.port},${await freePort()}:${told.port}`;
  expect(await heardAt(told.port, detours)).toBe("other");
  expect(await heardAt(other.port, detours)).toBe("other");
  expect(await heardAt(told.port, `${other.port}:${told.port}`)).toBe("told");
});

async function heardAt(port: number, detours: string): Promise<string> {
  const run = promisify(execFile);
  const { stdout } = await run(
    process.execPath,
    ["--import", DETOUR, "-e", SAY_WHAT_IS_HEARD, String(port)],
    { env: { ...process.env, NODE_OPTIONS: "", DETOURS: detours } },
  );
  return stdout;
}
