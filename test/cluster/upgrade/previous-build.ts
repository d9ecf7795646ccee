/**
 * Owns the build of an earlier version, in a folder of its own beside the packages of this checkout: which commit that is,
 * its files, its packages, and that it is built once for each content. Changes nothing of this checkout.
 *
 * Which: PREVIOUS names a revision; else the newest ancestor whose sources are others than those that lie here now. So in
 * a clean checkout it is the commit before the last one that changed code, and in one that is worked on, HEAD.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PreviousBuild {
  /** The commit, and its first line, for people. */
  readonly commit: string;
  readonly subject: string;
  /** Where services/<name>/dist/main.js are. */
  readonly folder: string;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const CACHE = join(root, "node_modules/.cache/muster-previous");
/** What makes another program: not tests, not docs. */
const SOURCES = ["shared/*/src/*", "shared/*/lua/*", "services/*/src/*", "proto/livekit/*"];
const SERVICES = ["gateway", "dispatcher", "api"];
const SCOPE = "@muster";
const OWN = `node_modules/${SCOPE}/`;
const DONE = "built";
/** Builds that are kept; each is some 20 MB. */
const MOST_KEPT = 3;
const MOST_BYTES = 256 * 1024 * 1024;

/** Some 20 s at first, and nothing from then on. Throws with what the step that failed said. */
export function previousBuild(revision: string | undefined = process.env.PREVIOUS): PreviousBuild {
  const commit =
    revision === undefined ? newestOther() : git("rev-parse", "--verify", `${revision}^{commit}`);
  const subject = git("log", "-1", "--format=%h %s", commit);
  const folder = join(CACHE, git("rev-parse", `${commit}^{tree}`));
  if (!existsSync(join(folder, DONE))) {
    const unfinished = `${folder}.${process.pid}`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    try {
      build(commit, unfinished);
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  utimesSync(join(folder, DONE), new Date(), new Date());
  forgetOldOnes();
  return { commit, subject, folder };
}

function newestOther(): string {
  // A checkout for a test run is often the last commit alone.
  if (git("rev-parse", "--is-shallow-repository") === "true") git("fetch", "--quiet", "--unshallow");
  const ancestors = git("rev-list", "--first-parent", "HEAD").split("\n");
  const found = ancestors.find((commit) => git("diff", "--name-only", commit, "--", ...SOURCES) !== "");
  if (found !== undefined) return found;
  throw new Error(
    `none of the ${ancestors.length} commits that are here has other sources; name one: PREVIOUS=<revision>`,
  );
}

function build(commit: string, folder: string): void {
  const archive = execFileSync("git", ["archive", commit], { cwd: root, maxBuffer: MOST_BYTES });
  execFileSync("tar", ["-x"], { cwd: folder, input: archive });
  if (hasOurPackages(folder)) linkPackages(folder);
  else run(folder, "npm", "install", "--no-save", "--no-fund", "--no-audit");
  run(folder, "npm", "run", "--silent", "generate", "--workspaces", "--if-present");
  run(folder, "npx", "tsc", "-b", ...SERVICES.map((name) => `services/${name}`));
  mkdirSync(join(folder, DONE));
}

/** Whether every package that it runs with is here in that very version; what is here beside is in nobody's way. */
function hasOurPackages(folder: string): boolean {
  const [theirs, ours] = [folder, root].map(
    (where) =>
      (JSON.parse(readFileSync(join(where, "package-lock.json"), "utf8")) as { packages: Packages }).packages,
  );
  return Object.entries(theirs ?? {})
    .filter(([path, { dev }]) => path.startsWith("node_modules/") && !path.startsWith(OWN) && dev !== true)
    .every(([path, { version }]) => ours?.[path]?.version === version);
}

type Packages = Record<string, { version?: string; dev?: boolean }>;

/** Third-party packages are links to ours; the workspaces are links within the folder, or it would run our code. */
function linkPackages(folder: string): void {
  const [from, to] = [join(root, "node_modules"), join(folder, "node_modules")];
  mkdirSync(join(to, SCOPE), { recursive: true });
  for (const name of readdirSync(from)) {
    if (![SCOPE, ".cache"].includes(name) && !name.startsWith(".vite"))
      symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, SCOPE))) {
    // Relative, as npm writes it: `../../shared/ledger`. One that is new since leads nowhere, and nobody follows it.
    symlinkSync(readlinkSync(join(from, SCOPE, name)), join(to, SCOPE, name));
  }
}

function forgetOldOnes(): void {
  const usedMs = (name: string) =>
    statSync(join(CACHE, name, DONE), { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  const oldest = readdirSync(CACHE).sort((a, b) => usedMs(b) - usedMs(a));
  for (const name of oldest.slice(MOST_KEPT)) rmSync(join(CACHE, name), { recursive: true, force: true });
}

function git(...args: string[]): string {
  return run(root, "git", ...args).trim();
}

function run(cwd: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", maxBuffer: MOST_BYTES });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[command, ...args].join(" ")} failed in ${cwd}:\n${stdout}${stderr}`);
  }
}
