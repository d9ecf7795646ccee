import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { clientAddress, proxiesFrom } from "../src/client-address.js";
import { bench, cleanUp, stopRedis, TRANSPORT_KINDS } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const OURS = "10.0.0.0/8, 192.0.2.7, fd00::/8";

const CAME: [why: string, remoteAddress: string, forwardedFor: string | undefined, is: string][] = [
  ["nobody between", "198.51.100.1", undefined, "198.51.100.1"],
  ["a stranger who says to be another", "198.51.100.1", "203.0.113.9", "198.51.100.1"],
  ["one proxy of ours", "10.1.2.3", "203.0.113.9", "203.0.113.9"],
  ["two proxies of ours", "10.1.2.3", "203.0.113.9, 192.0.2.7", "203.0.113.9"],
  ["a stranger's word before a proxy of ours", "10.1.2.3", "198.51.100.66, 203.0.113.9", "203.0.113.9"],
  ["a proxy of ours that says nothing", "10.1.2.3", undefined, "10.1.2.3"],
  ["a proxy of ours that says nonsense", "10.1.2.3", "203.0.113.9, unknown", "10.1.2.3"],
  ["nothing but proxies of ours", "10.1.2.3", "10.4.5.6", "10.4.5.6"],
  ["IPv6, in another spelling", "fd00:0::1", "2001:DB8:0::1", "2001:db8::1"],
  ["IPv4 in IPv6", "10.1.2.3", "::ffff:203.0.113.9", "203.0.113.9"],
  ["a neighbour of an address of ours", "192.0.2.8", "203.0.113.9", "192.0.2.8"],
  ["a socket already gone", "", "203.0.113.9", ""],
];

describe("a worker's address", () => {
  it.each(CAME)("with %s", (_why, remoteAddress, forwardedFor, is) => {
    const trusted = proxiesFrom(OURS);
    if (trusted === undefined) throw new Error("unreachable");
    expect(clientAddress({ remoteAddress, forwardedFor }, trusted)).toBe(is);
  });

  it.each(["10.0.0.0/33", "fd00::/129", "proxy", "10.0.0.0/8;10.1.0.0/8", "10.0.0/8", "10.0.0.1/-1"])(
    "is taken from nobody who is named %s",
    (text) => expect(proxiesFrom(text)).toBeUndefined(),
  );
});

describe.each(TRANSPORT_KINDS)("behind a proxy on %s", (transport) => {
  it.each([
    ["", "127.0.0.1"],
    ["127.0.0.0/8", "203.0.113.9"],
  ])("trusting %j, the session is at %s", async (trusted, address) => {
    const { start, worker, client, namespace, field } = await bench();
    const trustedProxies = proxiesFrom(trusted);
    const gateway = await start({ transport, policy: { ...(trustedProxies && { trustedProxies }) } });
    const connected = await worker(gateway, { forwardedFor: "203.0.113.9" });
    await connected.register({ agentName: "agent", namespace: field });
    const record = `muster:{${namespace}}:session:${connected.id}`;
    await waitUntil("it is in the ledger", async () => (await client.hget(record, "client_ip")) === address);
  });
});
