/**
 * Owns an nginx for tests that runs with the configuration which the chart renders. Only what a cluster would give is put in its
 * place: addresses of Services, ports, the folder for what is temporary. It runs without root, as in its pod.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bringProgram } from "../../scripts/lib/debian-programs.mjs";
import { freePort } from "../kit/ports.js";
import { waitUntil } from "../kit/wait-until.js";
import { one, render, run } from "./chart.js";

export interface Surroundings {
  /** Host and port, as the configuration has them, to a port of 127.0.0.1. */
  services: Record<string, number>;
  /** Of the name server. */
  namePort: number;
}

export interface Router {
  readonly url: string;
  readonly healthUrl: string;
  readonly exited: Promise<number | null>;
  /** As Kubernetes stops it, by the image's own signal. */
  quit(): void;
  stop(): Promise<void>;
}

const nginx = bringProgram("nginx");
if ("missing" in nginx) throw new Error(nginx.missing);
const { path: program, env } = nginx;

/** Whoever has no rights. */
const NOBODY = 65_534;

export function configOf(values: object | string): string {
  return one(render(values), "ConfigMap", "muster-router").data?.["nginx.conf"] ?? "";
}

async function settle(config: string, { services, namePort }: Surroundings) {
  const folder = mkdtempSync(join(tmpdir(), "muster-router-"));
  const [port, healthPort] = [await freePort(), await freePort()];
  let text = config
    .replaceAll(" /tmp/", ` ${folder}/`)
    .replace("listen 8080;", `listen 127.0.0.1:${port};`)
    .replace("listen 8081;", `listen 127.0.0.1:${healthPort};`)
    .replace("resolver kube-dns.kube-system.svc.cluster.local", `resolver 127.0.0.1:${namePort}`);
  for (const [host, here] of Object.entries(services)) text = text.replaceAll(host, `127.0.0.1:${here}`);
  writeFileSync(join(folder, "nginx.conf"), text);
  // Where it is kept, nobody may look.
  copyFileSync(program, join(folder, "nginx"));
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (identity.uid !== undefined)
    for (const path of [folder, join(folder, "nginx")]) chownSync(path, NOBODY, NOBODY);
  return { folder, port, healthPort, identity, args: ["-e", "stderr", "-c", join(folder, "nginx.conf")] };
}

/** What `nginx -t` says of it. */
export async function checkConfig(config: string, around: Surroundings) {
  const { folder, args } = await settle(config, around);
  const result = run(join(folder, "nginx"), [...args, "-t"], "", env);
  rmSync(folder, { recursive: true });
  return result;
}

export async function startRouter(config: string, around: Surroundings): Promise<Router> {
  const { folder, port, healthPort, args, identity } = await settle(config, around);
  const child = spawn(join(folder, "nginx"), [...args, "-g", "daemon off;"], {
    ...identity,
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  child.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  endWithUs(child);
  const healthUrl = `http://127.0.0.1:${healthPort}/healthz`;
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error(output);
    return (await fetch(healthUrl)).ok;
  };
  await waitUntil("nginx answers its probe", isUp, { deadlineMs: 10_000, everyMs: 20 });
  return {
    url: `http://127.0.0.1:${port}`,
    healthUrl,
    exited,
    quit: () => void child.kill("SIGQUIT"),
    async stop() {
      child.kill("SIGTERM");
      await exited;
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}

function endWithUs(child: ChildProcess): void {
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}
