/** The command line: what cannot be understood is refused, all of it at once, and nothing is asked of anybody. */
import { expect, test } from "vitest";
import { runMuster } from "./doctor-kit.js";

const env = { MUSTER_REDIS_URL: "redis://127.0.0.1:1" };

test("what is wrong with the command or the settings is said, all of it, with exit code 2", async () => {
  const unknown = await runMuster(["doctor", "--only", "redis-evict"], env);
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect(unknown.stderr).toContain('"redis-evict" is no check; did you mean "redis-eviction"?');
  expect((await runMuster(["doctor", "--colour"], env)).code).toBe(2);
  expect((await runMuster(["doctor", "--timeout", "soon"], env)).stderr).toContain(
    "must be a duration like 500ms",
  );
  expect((await runMuster(["doctor", "--service", "bridge"], env)).stderr).toContain(
    '"bridge" is none of gateway',
  );
  const settings = await runMuster(["doctor"], {
    MUSTER_REDIS_URL: "http://x",
    MUSTER_PORT: "none",
    MUSTER_GRACE_M: "1",
  });
  expect(settings.code).toBe(2);
  expect(settings.stderr).toMatch(
    /has 3 problems[\s\S]*MUSTER_GRACE_M:[\s\S]*MUSTER_REDIS_URL:[\s\S]*MUSTER_PORT:/,
  );
  const help = await runMuster(["doctor", "--help"]);
  expect(help.code).toBe(0);
  for (const option of [
    "--config",
    "--only",
    "--skip",
    "--timeout",
    "--strict",
    "--json",
    "--service",
    "--list",
  ]) {
    expect(help.stdout).toContain(option);
  }
});
