/** Whether the tests beside a real livekit-server run at all: without one they are skipped, which must not go unseen. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bringLivekitServer, NEWEST } from "../../scripts/lib/livekit-server.mjs";
import { LIVEKIT_SERVER_BIN } from "./livekit-server.js";

const { CI, PATH, LIVEKIT_SERVER_VERSION = NEWEST, LIVEKIT_SERVER_BIN: named } = process.env;
const isMissing = LIVEKIT_SERVER_BIN === "";

if (isMissing) {
  process.stdout.write(
    `NOT TESTED: no livekit-server ${LIVEKIT_SERVER_VERSION} here. \`node scripts/lib/livekit-server.mjs\` builds one, with Go.\n`,
  );
}

it.skipIf(isMissing && CI === undefined)("a livekit-server is at hand, of the version that is wanted", () => {
  expect(LIVEKIT_SERVER_BIN, "no livekit-server was built, see above").not.toBe("");
  const said = execFileSync(LIVEKIT_SERVER_BIN, ["--version"], { encoding: "utf8" });
  if (named === undefined) expect(said.trim()).toBe(`livekit-server version ${LIVEKIT_SERVER_VERSION}`);
});

it("a version that is not pinned is refused by name", async () => {
  await expect(bringLivekitServer("1.0.0")).rejects.toThrow(
    /no livekit-server 1\.0\.0 is pinned here: .*v1\.13\.5/,
  );
});

it("without Go, the reason is said", async () => {
  const nothing = mkdtempSync(join(tmpdir(), "muster-no-livekit-"));
  process.env.PATH = "/nowhere";
  try {
    expect(await bringLivekitServer(NEWEST, nothing)).toEqual({
      missing: `livekit-server ${NEWEST} cannot be built: no Go here (https://go.dev/dl)`,
    });
  } finally {
    process.env.PATH = PATH;
    rmSync(nothing, { recursive: true });
  }
});
