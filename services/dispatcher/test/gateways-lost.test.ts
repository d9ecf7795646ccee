/** What is said of a gateway whose lease in a namespace ends: lost is one that still had sessions there. */
import { createLog } from "@muster/runtime/log";
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { setStage } from "./stage.js";

const stage = setStage("gateways-lost");

it("one that died with a worker is; one whose last worker left before is not", async () => {
  const lines: { msg: string; gateway?: string; sessions?: number }[] = [];
  const log = createLog({
    ...{ level: "info", service: "test" },
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  });
  await stage.dispatcher({ log });
  const namespace = stage.freshNamespace();
  const [left, died] = [await stage.gateway(), await stage.gateway()];
  const last = await stage.caller.session(namespace, "greeter", left.nodeId, { leaseMs: 500 });
  await stage.caller.lose(namespace, last);
  // Its lease ends after the other one's.
  await stage.caller.session(namespace, "greeter", died.nodeId, { leaseMs: 1_000 });
  const lost = () => lines.filter(({ msg }) => msg === "gateway lost");
  await waitUntil("the dead one is told of", () => lost().some(({ gateway }) => gateway === died.nodeId));
  expect(lost()).toMatchObject([{ gateway: died.nodeId, sessions: 1 }]);
});
