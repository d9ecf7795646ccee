/**
 * Owns running what a page of docs/ tells its reader to type: each `curl` of it, against a Muster that runs. The page's own
 * way to a token is the one that is taken.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface PageRun {
  command: string;
  code: number | null;
  output: string;
}

/** The text of `docs/<name>`. */
export function readPage(name: string): string {
  return readFileSync(`${root}docs/${name}`, "utf8");
}

/** All of its commands, one after the other. `env` has what the page leaves to its reader. */
export async function runPage(page: string, env: Record<string, string>): Promise<PageRun[]> {
  const [setUp = ""] = /^export TOKEN=[\s\S]*?^\}\)'\)$/m.exec(page) ?? [];
  const made = await run(`${setUp}\necho "$TOKEN"`, {});
  const runs: PageRun[] = [];
  for (const command of commandsOf(page)) {
    // A stream has no end of its own.
    const bounds = `--fail-with-body ${command.includes("/v1/events") ? "--max-time 1 " : ""}`;
    const bounded = command.replace(/^curl /, `curl ${bounds}`);
    runs.push({ command, ...(await run(bounded, { ...env, TOKEN: made.output.trim() })) });
  }
  return runs;
}

function commandsOf(page: string): string[] {
  return [...page.matchAll(/```sh\n(.*?)```/gs)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .filter((line) => line.startsWith("curl "));
}

function run(command: string, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", command], { cwd: root, env: { ...process.env, ...env } });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        output += String(chunk);
      });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
