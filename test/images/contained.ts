/**
 * Owns services that run as their images run them, without an engine: what was packed at /app, as the user 10001, on a file
 * system that cannot be written save /tmp, among processes of their own, with the ENTRYPOINT of the Dockerfile. By
 * bubblewrap; of the machine they see its programs and its network. IMAGE_ROOT names another root for the programs, such as
 * a Debian 13 by debootstrap.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { bringProgram } from "../../scripts/lib/debian-programs.mjs";
import { freePort } from "../kit/ports.js";
import { waitUntil } from "../kit/wait-until.js";

const { IMAGE_ROOT = "" } = process.env;
const USER = "10001";

export interface Contained {
  readonly port: number;
  readonly url: string;
  output(): string;
  /** Names of what it left in /tmp. */
  written(): string[];
  /** Its processes, by the names of their programs. */
  processes(): string[];
  /** Resolves when it is gone: with its exit code, or null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** SIGTERM to its process 1, as an engine sends it. */
  terminate(): void;
  kill(): Promise<void>;
}

export interface ContainedOptions {
  /** The packed folder. */
  app: string;
  entrypoint: readonly string[];
  env: Record<string, string>;
  /** Folders of this machine that it may write, by their place inside. */
  volumes?: Record<string, string>;
}

/** Why nothing can be contained here; undefined when it can. */
export function whyNotContained(): string | undefined {
  const bwrap = bringProgram("bwrap", "bubblewrap");
  if ("missing" in bwrap) return bwrap.missing;
  const tini = bringProgram("tini");
  if ("missing" in tini) return tini.missing;
  try {
    execFileSync(bwrap.path, [...walls(), "--", "true"], {
      stdio: "pipe",
      env: { ...process.env, ...bwrap.env },
    });
    return undefined;
  } catch (error) {
    return `bubblewrap is refused: ${String((error as { stderr?: Buffer }).stderr).trim()}`;
  }
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Does not wait for it to be ready: see untilReady. */
export async function contain(options: ContainedOptions): Promise<Contained> {
  const port = await freePort();
  const bwrap = bringProgram("bwrap", "bubblewrap");
  if ("missing" in bwrap) throw new Error(bwrap.missing);
  const env = { MUSTER_HOST: "127.0.0.1", MUSTER_PORT: String(port), ...options.env };
  const settings = Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]);
  const volumes = Object.entries(options.volumes ?? {}).flatMap(([inside, here]) => ["--bind", here, inside]);
  const child = spawn(
    bwrap.path,
    [
      ...["--ro-bind", options.app, "/app", ...volumes],
      ...walls(),
      ...["--chdir", "/app", ...settings, "--info-fd", "3", "--", ...options.entrypoint],
    ],
    { stdio: ["ignore", "pipe", "pipe", "pipe"], env: { ...process.env, ...bwrap.env } },
  );
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)));
  let info = "";
  child.stdio[3]?.on("data", (chunk) => (info += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  void exited.then(() => running.delete(child));
  const first = await waitUntil("its process 1 is there", () => {
    if (child.exitCode !== null) throw new Error(`bubblewrap ended with ${child.exitCode}: ${output}`);
    return (JSON.parse(info) as { "child-pid": number })["child-pid"];
  });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    written: () => readdirSync(`/proc/${first}/root/tmp`),
    processes: () =>
      readdirSync("/proc")
        .filter((pid) => /^\d+$/.test(pid) && isWithin(pid, first))
        .map(programOf),
    exited,
    terminate: () => process.kill(first, "SIGTERM"),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

const READY_MS = 20_000;

/** @throws Error with what it wrote, when it ends or is not ready in time */
export async function untilReady(service: Contained): Promise<void> {
  let code: number | null | undefined;
  void service.exited.then((how) => {
    code = how;
  });
  await waitUntil("it is ready", async () => (await fetch(`${service.url}/readyz`)).ok, {
    deadlineMs: READY_MS,
    everyMs: 50,
    invariant: () => {
      if (code !== undefined) throw new Error(`it ended with ${code}`);
    },
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${service.output().slice(-4_000)}`);
  });
}

/** What is around whoever is contained, whatever it runs. Later entries lie within earlier ones. */
function walls(): string[] {
  const programs: Record<string, string> =
    IMAGE_ROOT === "" ? { node: process.execPath, ...pathsOf(["tini", "redis-server"]) } : {};
  const libraries = (process.env.LD_LIBRARY_PATH ?? "")
    .split(":")
    .filter((path) => path !== "" && existsSync(path));
  return [
    ...[
      "--unshare-user",
      "--unshare-pid",
      "--unshare-ipc",
      "--unshare-uts",
      "--as-pid-1",
      "--die-with-parent",
    ],
    ...["--uid", USER, "--gid", USER, "--cap-drop", "ALL"],
    ...["--ro-bind", `${IMAGE_ROOT}/usr`, "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
    ...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
    ...Object.entries<string>(programs).flatMap(([name, path]) => ["--ro-bind", path, `/opt/bin/${name}`]),
    ...libraries.flatMap((path) => ["--ro-bind", path, path]),
    ...[
      "--remount-ro",
      "/",
      "--clearenv",
      "--setenv",
      "PATH",
      "/opt/bin:/usr/local/bin:/usr/bin",
      "--setenv",
      "HOME",
      "/tmp",
    ],
    ...(libraries.length > 0 ? ["--setenv", "LD_LIBRARY_PATH", libraries.join(":")] : []),
  ];
}

function pathsOf(names: readonly string[]): Record<string, string> {
  const found = names.map((name) => [name, bringProgram(name)] as const);
  return Object.fromEntries(found.flatMap(([name, one]) => ("path" in one ? [[name, one.path]] : [])));
}

function isWithin(pid: string, first: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync(`/proc/${first}/ns/pid`);
  } catch {
    // It ended meanwhile.
    return false;
  }
}

const programOf = (pid: string): string => readFileSync(`/proc/${pid}/comm`, "utf8").trim();
