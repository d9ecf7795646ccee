/**
 * Headers on their way through the proxy. Owns which of them end here (those of one connection), and what a proxy says
 * of itself; everything else passes as it came, the Authorization above all.
 */

/** RFC 9110 §7.6.1, and what older peers take for it. */
const CONNECTION_HEADERS = [
  ...["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "expect"],
];
/** Named in Via, by which a call that comes back to a Muster is known. */
const PSEUDONYM = "muster";

/** True for a call that a Muster has passed on already: its livekit url leads to itself. */
export function hasBeenHere(headers: Headers): boolean {
  const via = headers.get("via") ?? "";
  return via.split(",").some((hop) => hop.trim().split(/\s+/)[1] === PSEUDONYM);
}

/** `remoteAddress` is the peer of this connection, as far as it is known. */
export function headersToUpstream(
  headers: Headers,
  remoteAddress: string | undefined,
): Record<string, string> {
  const sent = Object.fromEntries(headers);
  for (const name of namesThatEndHere(headers.get("connection"))) delete sent[name];
  delete sent.host; // the upstream has its own
  const earlier = headers.get("x-forwarded-for");
  const addresses = [earlier, remoteAddress].filter((address) => address);
  if (addresses.length > 0) sent["x-forwarded-for"] = addresses.join(", ");
  // Whoever ends TLS before us says so; to us it is always plain http.
  sent["x-forwarded-proto"] = headers.get("x-forwarded-proto") ?? "http";
  const via = headers.get("via");
  sent.via = `${via === null ? "" : `${via}, `}1.1 ${PSEUDONYM}`;
  return sent;
}

/** `rawHeaders` alternates names and values, as node has them. */
export function headersFromUpstream(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  for (const name of namesThatEndHere(headers.get("connection"))) headers.delete(name);
  return headers;
}

function namesThatEndHere(connection: string | null): string[] {
  const named = (connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  return [...CONNECTION_HEADERS, ...named.filter((name) => /^[!#$%&'*+\-.^_`|~\da-z]+$/.test(name))];
}
