/**
 * Owns the compose file's proxy for tests: a real nginx, with its configuration as it is shipped, but for the addresses: it
 * listens on a free port, and the names of where.conf stand for processes of this machine.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bringProgram } from "../../scripts/lib/debian-programs.mjs";
import { freePort } from "../kit/ports.js";
import { waitUntil } from "../kit/wait-until.js";
import { folder } from "./compose-file.js";

export interface WayIn {
  readonly url: string;
  /** What it wrote to its error log. */
  output(): string;
  stop(): Promise<void>;
}

/** Addresses, `host:port`, behind each name of where.conf. */
export type Behind = Record<"gateway" | "api" | "livekit", readonly string[]>;

/** Why there is no nginx here; undefined when there is. */
export function whyNoProxy(): string | undefined {
  const nginx = bringProgram("nginx");
  return "missing" in nginx ? nginx.missing : undefined;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Its names stand for fixed addresses, tried in turn. */
export function startProxy(behind: Behind): Promise<WayIn> {
  const upstreams = Object.entries(behind).map(
    ([name, addresses]) =>
      `upstream ${name}-under-test { ${addresses.map((address) => `server ${address};`).join(" ")} }`,
  );
  return launch({
    nginx: (shipped) => shipped.replace("\nhttp {\n", `\nhttp {\n${upstreams.join("\n")}\n`),
    where: (shipped) => shipped.replace(/^set \$(\w+) \S+;$/gm, "set $$$1 $1-under-test;"),
  });
}

/** Its names are looked up as they are shipped, but at this name server; the ports are those given. */
export function startProxyByNames(nameServer: string, ports: Record<keyof Behind, number>): Promise<WayIn> {
  return launch({
    nginx: (shipped) => shipped,
    where: (shipped) =>
      shipped
        .replace(/^resolver \S+/m, `resolver ${nameServer}`)
        .replace(
          /^set \$(\w+) (\w+):\d+;$/gm,
          (_, name: keyof Behind, host) => `set $${name} ${host}:${ports[name]};`,
        ),
  });
}

interface Changes {
  nginx(shipped: string): string;
  where(shipped: string): string;
}

async function launch(changes: Changes): Promise<WayIn> {
  const nginx = bringProgram("nginx");
  if ("missing" in nginx) throw new Error(nginx.missing);
  const port = await freePort();
  const own = mkdtempSync(join(tmpdir(), "muster-proxy-"));
  const shipped = join(own, "conf");
  cpSync(`${folder}proxy`, shipped, { recursive: true });
  const rewrite = (file: string, change: (text: string) => string) => {
    const path = join(shipped, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, change(text));
  };
  rewrite("nginx.conf", changes.nginx);
  rewrite("where.conf", (text) => changes.where(text).replace(/^listen \d+;/m, `listen 127.0.0.1:${port};`));
  const args = ["-p", own, "-c", join(shipped, "nginx.conf"), "-e", "stderr", "-g", "daemon off;"];
  const env = { ...process.env, ...nginx.env };
  const child = spawn(nginx.path, args, { stdio: ["ignore", "ignore", "pipe"], env });
  running.add(child);
  let output = "";
  child.stderr?.on("data", (chunk) => (output += String(chunk)));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  void exited.then(() => running.delete(child));
  const url = `http://127.0.0.1:${port}`;
  await waitUntil("the proxy listens", async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${output}`);
    return (await fetch(url)).status > 0;
  });
  return {
    url,
    output: () => output,
    async stop() {
      // Its workers end with the master, open sockets or not.
      child.kill("SIGTERM");
      await exited;
      rmSync(own, { recursive: true, force: true });
    },
  };
}

/** @throws Error with what nginx says when it would refuse the configuration as it is shipped */
export function checkShipped(): void {
  const nginx = bringProgram("nginx");
  if ("missing" in nginx) throw new Error(nginx.missing);
  const own = mkdtempSync(join(tmpdir(), "muster-proxy-"));
  const args = ["-t", "-q", "-p", own, "-c", `${folder}proxy/nginx.conf`, "-e", "stderr"];
  try {
    execFileSync(nginx.path, args, { stdio: "pipe", env: { ...process.env, ...nginx.env } });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
