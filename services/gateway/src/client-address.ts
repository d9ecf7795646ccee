/**
 * Owns whose address a worker's is when it comes through proxies: what they say in X-Forwarded-For counts exactly as far as
 * they are ours. Everybody else can write what they like there, and is known by the address that they dial from.
 */

import { BlockList, isIP, isIPv6 } from "node:net";
import { addressFromText } from "./transport/remote-address.js";
import type { UpgradeRequest } from "./transport/transport.js";

/** From "10.0.0.0/8,fd00::1"; undefined: one of them is no address and no network. */
export function proxiesFrom(text: string): BlockList | undefined {
  const trusted = new BlockList();
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const [, address = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const family = isIP(address);
    if (family === 0) return undefined;
    const longest = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? longest : Number(bits);
    if (prefix > longest) return undefined;
    trusted.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  return trusted;
}

/** From the nearest on, the first that is no proxy of ours; what a proxy passed on that is no address says nothing. */
export function clientAddress(
  { remoteAddress, forwardedFor }: Pick<UpgradeRequest, "remoteAddress" | "forwardedFor">,
  trusted: BlockList,
): string {
  let nearest = remoteAddress;
  for (const said of (forwardedFor ?? "").split(",").reverse()) {
    const next = spelt(said.trim());
    if (next === undefined || !isTrusted(nearest, trusted)) return nearest;
    nearest = next;
  }
  return nearest;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/** As transports spell it; undefined for what is no address. */
function spelt(text: string): string | undefined {
  const address = addressFromText(text);
  if (!isIPv6(address)) return isIP(address) === 4 ? address : undefined;
  const url = `http://[${address}]`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}
