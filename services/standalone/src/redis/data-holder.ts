/**
 * Asks whoever listens on a port of this machine whether it is a redis-server that works on our data, and ends one that
 * is asked to. Speaks to it directly: a client that reconnects would be in the way of a question about who is there.
 */

import { stat } from "node:fs/promises";
import { connect } from "node:net";

/**
 * `nobody` listens. `stranger`: it answered, and has nothing to do with our data. `silent`: it did not answer, so that
 * nothing can be said. `ours`: a redis-server on our data, with the names of those who are connected to it.
 */
export type DataHolder =
  | { kind: "nobody" | "stranger" | "silent" }
  | { kind: "ours"; pid: number; users: string[] };

const ANSWER_DEADLINE_MS = 3_000;
const MAX_ANSWER_CHARS = 1_000_000;

export async function askPort(port: number, data: string): Promise<DataHolder> {
  const answer = await converse(port, ["CONFIG GET dir", "INFO server", "CLIENT LIST", "QUIT"]);
  if (answer === "refused") return { kind: "nobody" };
  if (answer === "silent") return { kind: "silent" };
  const folder = /\$3\r\ndir\r\n\$\d+\r\n(.*)\r\n/.exec(answer.text)?.[1];
  const pid = Number(/^process_id:(\d+)/m.exec(answer.text)?.[1]);
  if (folder === undefined || !pid || !(await isSameFolder(folder, data))) return { kind: "stranger" };
  // A Muster names its connections; a person who looks around with redis-cli does not.
  const users = [...answer.text.matchAll(/^id=\d+ .* name=(\S+)/gm)].map(([, name = ""]) => name);
  return { kind: "ours", pid, users };
}

/** Has it write what is unsaved, and end. It is gone when nobody listens any more. */
export async function endServer(port: number): Promise<void> {
  await converse(port, ["SHUTDOWN"]);
}

function converse(port: number, commands: string[]): Promise<"refused" | "silent" | { text: string }> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(`${commands.join("\r\n")}\r\n`));
    // One that keeps the connection open has still answered.
    const deadline = setTimeout(() => {
      socket.destroy();
      resolve(text === "" ? "silent" : { text });
    }, ANSWER_DEADLINE_MS);
    socket.on("data", (chunk) => {
      text += chunk.toString();
      if (text.length > MAX_ANSWER_CHARS) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") resolve("refused");
    });
    socket.on("close", () => {
      clearTimeout(deadline);
      resolve({ text });
    });
  });
}

/** One folder may have many names: links, and mounts. */
async function isSameFolder(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return left !== undefined && right !== undefined && left.dev === right.dev && left.ino === right.ino;
}
