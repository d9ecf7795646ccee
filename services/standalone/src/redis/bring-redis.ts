/**
 * `node services/standalone/dist/redis/bring-redis.js [folder]`: finds or brings a redis-server and prints its path.
 * For scripts that need the program before Muster runs, such as the test run.
 */

import { resolve } from "node:path";
import { findRedisServer } from "./find-redis-server.js";

try {
  const program = await findRedisServer({
    env: process.env,
    folder: resolve(process.argv[2] ?? "data"),
    say: (line) => process.stderr.write(`${line}\n`),
    isRoot: process.getuid?.() === 0,
  });
  process.stdout.write(`${JSON.stringify(program)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
