/** Who has a port that is taken, found out where the system tells. */
import { once } from "node:events";
import { createServer } from "node:net";
import { freePort } from "@muster/test/kit/ports";
import { expect, onTestFinished, test } from "vitest";
import { explainTakenPort, portOwner } from "../src/port-owner.js";

const onLinux = process.platform === "linux";

async function listen(host: string): Promise<number> {
  const server = createServer().listen(await freePort(), host);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test.runIf(onLinux).each(["127.0.0.1", "::1"])("a listener on %s is named", async (host) => {
  const port = await listen(host);
  expect(await portOwner(port)).toMatchObject({ pid: process.pid });
  expect(await explainTakenPort(host, port)).toMatch(
    new RegExp(
      `^port ${port} on ${host} is taken by .+ \\(pid ${process.pid}\\); stop that, or start Muster`,
    ),
  );
});

test("a port that nobody is found on gets the command that finds out", async () => {
  const port = await freePort();
  expect(await portOwner(port)).toBeUndefined();
  expect(await explainTakenPort("0.0.0.0", port)).toBe(
    `port ${port} on 0.0.0.0 is taken; sudo ss -ltnp "sport = :${port}" says by whom; stop that, ` +
      `or start Muster on another one: MUSTER_PORT=${port + 1}`,
  );
});

test("the port to move to is one that exists", async () => {
  expect(await explainTakenPort("127.0.0.1", 65_535)).toContain("MUSTER_PORT=65534");
});
