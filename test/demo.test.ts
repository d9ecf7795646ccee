/** `npm run demo` as its users run it: what it tells, and what it says when it cannot. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
/** It builds what changed first. */
const DEADLINE_MS = 300_000;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "muster-demo-test-"));
  folders.push(folder);
  return folder;
}

function runDemo(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("npm", ["run", "--silent", "demo"], { cwd: root, env: { ...process.env, ...env } });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        output += String(chunk);
      });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

it(
  "tells each step with what it took, and leaves nothing behind",
  async () => {
    const temporary = temporaryFolder();
    // Settings of the user's own are not the demo's.
    const { code, output } = await runDemo({ TMPDIR: temporary, MUSTER_REDIS_URL: "redis://127.0.0.1:1" });
    expect(output).toContain("A real worker takes a real job");
    const told = output.slice(output.indexOf("A real worker")).split("\n");
    const lines = told
      .filter((line) => / ms {2}/.test(line))
      .map((line) => line.replace(/ {2,}/g, "  ").trim());
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d+ ms {2}Muster is ready, with a Redis of its own {2}http:\/\/127\.0\.0\.1:\d+$/,
      ),
      expect.stringMatching(/^\d+ ms {2}A stock @livekit\/agents worker starts and registers {2}AW_\w+$/),
      expect.stringMatching(/^\d+ ms {2}It has a process waiting for a job$/),
      expect.stringMatching(/^\d+ ms {2}livekit-server-sdk asks for a dispatch, and it is kept {2}AD_\w+$/),
      expect.stringMatching(/^\+\d+ ms {2}claimed for the worker, and offered to it {2}AW_\w+$/),
      expect.stringMatching(/^\+\d+ ms {2}accepted; its assignment and token go out {2}epoch 1$/),
      expect.stringMatching(
        /^\+\d+ ms {2}the agent's entry function runs {2}AJ_\w+ \{"caller":"\+1 555 0100"\}$/,
      ),
      expect.stringMatching(/^\d+ ms {2}ListDispatch shows the job {2}AJ_\w+ running$/),
      expect.stringMatching(/^\d+ ms {2}The dispatch is deleted, and the agent has shut down {2}AD_\w+$/),
      expect.stringMatching(/^\d+ ms {2}Nothing is left {2}demo-room$/),
    ]);
    const after = lines.flatMap((line) => /^\+(\d+)/.exec(line)?.[1] ?? []).map(Number);
    expect(after, "in the order in which they happened").toEqual(
      [...after].sort((one, other) => one - other),
    );
    expect(output).toMatch(/Done in \d+\.\d s; everything that was started has ended\.\n\n$/);
    expect(code).toBe(0);
    expect(readdirSync(temporary).filter((name) => name.startsWith("muster-demo-"))).toEqual([]);
  },
  DEADLINE_MS,
);

it(
  "says what failed, and what the process in question said last",
  async () => {
    const bin = temporaryFolder();
    writeFileSync(join(bin, "redis-server"), "#!/bin/sh\necho 'no space left on device'\nexit 1\n");
    chmodSync(join(bin, "redis-server"), 0o755);
    const { code, output } = await runDemo({ PATH: `${bin}:${process.env.PATH}` });
    expect(output).toContain("The demo failed: Muster ended while waiting until Muster is ready");
    expect(output).toContain("The last that Muster said:");
    expect(output).toContain("    Muster could not start: redis-server did not start (exit 1):");
    expect(output).toContain("    no space left on device");
    expect(output).not.toContain("Done in");
    expect(code).toBe(1);
  },
  DEADLINE_MS,
);
