/**
 * Owns the choice of ports for tests: on 127.0.0.1, below the range that the system hands out by itself.
 * A port is free when it is handed out, and nothing keeps it so: who binds it must be ready to ask for another.
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 32_767;
const MAX_TRIES = 100;

/** A port that nobody listens on now. Random, so that suites side by side rarely meet. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${HIGHEST_PORT} in ${MAX_TRIES} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
