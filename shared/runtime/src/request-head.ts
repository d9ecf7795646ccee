/**
 * Whether the head of an HTTP request can be read in one way only: the one place where that is decided, for every door.
 * A proxy in front reads the same bytes; where it could read another path, host or length than we do, the request is
 * refused and its connection closed, since nobody knows any more where the next request begins. Knows no route.
 */

export interface RequestHead {
  method: string;
  /** Path and query as sent. */
  target: string;
  /** Names in lower case; every line that came, in its order. */
  headers: [name: string, value: string][];
}

export interface HeadProblem {
  status: number;
  reason: string;
}

/** Every one that a handler knows; others are not passed on. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** As many as uWebSockets.js takes, nearly; Node would leave out those above its own bound and say nothing. */
export const MAX_HEADERS = 100;

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const LENGTH = /^\d{1,15}$/;
/** What a URL may be made of. Other bytes are read as Latin-1 by one server and as UTF-8 by the next. */
const VISIBLE_ASCII = /^[!-~]+$/;
/** `.` and `..`, also encoded: who resolves them gets another path. */
const DOT_SEGMENT = /^(?:\.|%2e){1,2}$/i;

/** The connection is to be closed after the answer. undefined: nothing is wrong. */
export function headProblem({ method, target, headers }: RequestHead): HeadProblem | undefined {
  if (!METHODS.has(method)) return bad(`method ${method} is not served`);
  const path = targetProblem(target);
  if (path !== undefined) return bad(path);
  if (headers.length > MAX_HEADERS) return { status: 431, reason: `more than ${MAX_HEADERS} headers` };
  return headersProblem(headers);
}

/** The normal form of a path: what is in another one would be another path to somebody. */
export function targetProblem(target: string): string | undefined {
  if (!target.startsWith("/")) return "the request target is not a path";
  if (!VISIBLE_ASCII.test(target))
    return "the request target has characters that must be percent-encoded, as UTF-8";
  if (target.includes("#")) return "the request target has a fragment in it";
  const end = target.indexOf("?");
  const path = end === -1 ? target : target.slice(0, end);
  if (path.includes("\\")) return "the path has a backslash in it";
  // SDKs append "/agent" to a base url that ends in a slash.
  if (path !== "//agent" && path.includes("//"))
    return "the path has // in it; the url of the server must not end in a slash";
  if (path.includes(".") || path.includes("%")) {
    if (path.split("/").some((segment) => DOT_SEGMENT.test(segment))) return "the path has . or .. in it";
  }
  return undefined;
}

function headersProblem(headers: RequestHead["headers"]): HeadProblem | undefined {
  let hosts = 0;
  let lengths = 0;
  let codings = 0;
  for (const [name, value] of headers) {
    if (hasControl(value)) return bad(`header ${name} has a control character in it`);
    if (name === "host") {
      hosts++;
      if (!HOST.test(value) || !URL.canParse(`http://${value}`))
        return bad("the host header is no host, with or without a port");
    } else if (name === "content-length") {
      lengths++;
      if (!LENGTH.test(value)) return bad("content-length is no number of bytes");
    } else if (name === "transfer-encoding") {
      codings++;
      if (value.toLowerCase() !== "chunked")
        return bad("transfer-encoding is not chunked, the one that is known");
    } else if (name === "expect" && value.toLowerCase() !== "100-continue") {
      return { status: 417, reason: "expect is not 100-continue, the one that is known" };
    }
  }
  if (hosts !== 1) return bad(`there must be one host header, and there are ${hosts}`);
  if (lengths > 1) return bad("content-length is there twice");
  if (codings > 1) return bad("transfer-encoding is there twice");
  if (lengths + codings > 1) return bad("there must not be both content-length and transfer-encoding");
  return undefined;
}

function hasControl(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

function bad(reason: string): HeadProblem {
  return { status: 400, reason: `bad request: ${reason}` };
}
