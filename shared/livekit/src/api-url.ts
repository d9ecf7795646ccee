/**
 * Where livekit-server's API is, from the url that a user gives: the one of the LiveKit SDKs, so `ws` means `http`. A
 * path in it is kept (a server behind a proxy), a query is not.
 */

import { DispatchError } from "@muster/domain/errors";

const SCHEMES: Readonly<Record<string, string>> = {
  "ws:": "http:",
  "wss:": "https:",
  "http:": "http:",
  "https:": "https:",
};

/**
 * Without a slash at its end.
 * @throws DispatchError `invalid_argument`
 */
export function apiUrlOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = SCHEMES[parsed?.protocol ?? ""];
  if (parsed === undefined || scheme === undefined || parsed.host === "") {
    throw new DispatchError(
      "invalid_argument",
      "must be livekit-server's url, such as ws://livekit.example:7880",
      "url",
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new DispatchError("invalid_argument", "must not carry a user; give key and secret instead", "url");
  }
  return `${scheme}//${parsed.host}${parsed.pathname.replace(/\/+$/, "")}`;
}
