/**
 * Requests that could be read in more than one way, and what each server must do with them. `refused`: nothing is handled
 * and the connection is closed. Where a library decides before we see anything, `except` says what it does: a change of that
 * is to be noticed.
 */
import type { DoorName } from "./doors.js";

export type Outcome =
  | { refused: readonly number[] }
  /** What reached the handler, in order, with 200 for each; `closes`: then the connection is closed. */
  | { served: readonly string[]; closes?: boolean }
  /** No answer, and nothing handled: the library waits for more, until its bound on time. */
  | "waits";

export interface Row {
  name: string;
  sends: string;
  want: Outcome;
  except?: Partial<Record<DoorName, Outcome>>;
}

export const BAD: Outcome = { refused: [400] };
const BAD_VERSION: Outcome = { refused: [505] };
/** uWebSockets.js says 505 to whatever is not a request line of HTTP/1.1, Node says 400. */
const NO_REQUEST_LINE: Outcome = { refused: [400, 505] };
const TOO_MUCH: Outcome = { refused: [431] };
const CUT: Outcome = { refused: [] };

export const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, "host: a", ...lines);
export const post = (lines: string[], body: string) =>
  `${head("POST /x HTTP/1.1", "host: a", ...lines)}${body}`;
export const head = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
const hosted = (...hosts: string[]) => head("GET /v1 HTTP/1.1", ...hosts.map((host) => `host: ${host}`));
const chunked = (body: string) => post(["transfer-encoding: chunked"], body);
const CHUNKS = "3\r\nabc\r\n0\r\n\r\n";
const many = (count: number) => Array.from({ length: count }, (_, at) => `x${at}: y`);
const smuggled = head("GET /smuggled HTTP/1.1", "host: a");

const HOSTS: Row[] = [
  ...[
    "x/metrics#",
    "x?",
    "u@x",
    "",
    "a\\metrics",
    "a:99999",
    "a:",
    "a,b",
    "a b",
    "http://a",
    "a%2fb",
    "[::1",
  ].map((host) => ({ name: `host "${host}"`, sends: hosted(host), want: BAD })),
  ...["a", "a:7880", "a_b.example", "127.0.0.1:7880", "[::1]:7880"].map((host) => ({
    name: `host "${host}"`,
    sends: hosted(host),
    want: { served: ["GET /v1"] },
  })),
  { name: "no host", sends: hosted(), want: BAD },
  { name: "two hosts", sends: hosted("a", "b"), want: BAD },
  { name: "the same host twice", sends: hosted("a", "a"), want: BAD },
];

const LENGTHS: Row[] = [
  ...["+3", "-3", "0x3", "3,3", "3 3", "", "3.0", "1e1", "18446744073709551619", "9".repeat(30)].map(
    (length) => ({
      name: `content-length "${length}"`,
      sends: post([`content-length: ${length}`], "abc"),
      want: BAD,
    }),
  ),
  { name: "content-length 3", sends: post(["content-length: 3"], "abc"), want: { served: ["POST /x abc"] } },
  { name: "two lengths", sends: post(["content-length: 3", "content-length: 5"], "abcde"), want: BAD },
  { name: "two equal lengths", sends: post(["content-length: 3", "content-length: 3"], "abc"), want: BAD },
  {
    name: "two lengths, a request in what is between",
    sends: post(["content-length: 0", `content-length: ${smuggled.length}`], smuggled),
    want: BAD,
    // Nothing is answered to a connection on which it reads on.
    except: { uws: CUT },
  },
  {
    name: "both a length and chunks",
    sends: post(["content-length: 3", "transfer-encoding: chunked"], CHUNKS),
    want: BAD,
  },
];

const CODINGS: Row[] = [
  ...[
    "gzip",
    "gzip, chunked",
    "chunked, identity",
    "xchunked",
    "identity",
    "",
    "chunked;q=1",
    "\x0bchunked",
  ].map((coding) => ({
    name: `transfer-encoding ${JSON.stringify(coding)}`,
    sends: post([`transfer-encoding: ${coding}`], CHUNKS),
    want: BAD,
  })),
  {
    name: "transfer-encoding twice",
    sends: post(["transfer-encoding: chunked", "transfer-encoding: chunked"], CHUNKS),
    want: BAD,
  },
  // One such request a connection: its reader of chunks is lax.
  ...["chunked", "Chunked"].map((coding) => ({
    name: `transfer-encoding ${coding}`,
    sends: post([`transfer-encoding: ${coding}`], CHUNKS),
    want: { served: ["POST /x abc"] },
    except: { uws: { served: ["POST /x abc"], closes: true } },
  })),
];

/** Nothing can follow on such a connection, so the most that is lost is what the body means. */
const LAX: Row["except"] = { uws: { served: ["POST /x abc"], closes: true } };
const CHUNKED: Row[] = [
  ...["+3", "-3", "0x3", "zz", "10000000000000003"].map((size) => ({
    name: `a chunk of size "${size}"`,
    sends: chunked(`${size}\r\nabc\r\n0\r\n\r\n`),
    want: BAD,
  })),
  { name: 'a chunk of size "3 "', sends: chunked("3 \r\nabc\r\n0\r\n\r\n"), want: BAD, except: LAX },
  {
    name: 'a chunk of size "3G"',
    sends: chunked("3G\r\nabc\r\n0\r\n\r\n"),
    want: BAD,
    except: { uws: "waits" },
  },
  {
    name: "a chunk without a size",
    sends: chunked("\r\nabc\r\n0\r\n\r\n"),
    want: BAD,
    except: { uws: { served: ["POST /x"], closes: true } },
  },
  { name: "a chunk longer than it says", sends: chunked("3\r\nabcXX0\r\n\r\n"), want: BAD, except: LAX },
  { name: "chunks with bare line feeds", sends: chunked("3\nabc\n0\n\n"), want: BAD, except: LAX },
  {
    name: "a chunk with an extension",
    sends: chunked("3;a=b\r\nabc\r\n0\r\n\r\n"),
    want: { served: ["POST /x abc"] },
    except: { uws: "waits" },
  },
  { name: "a chunk of 4 GiB", sends: chunked("100000003\r\nabc\r\n0\r\n\r\n"), want: "waits" },
  {
    name: "trailers",
    sends: chunked("3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"),
    want: { served: ["POST /x abc"] },
    except: { uws: BAD_VERSION },
  },
  {
    name: "a request where trailers are",
    sends: chunked(`3\r\nabc\r\n0\r\n${smuggled}`),
    want: BAD,
    except: { uws: CUT },
  },
  {
    name: "a request behind the last chunk",
    sends: chunked(`${CHUNKS}${smuggled}`),
    want: { served: ["POST /x abc", "GET /smuggled"] },
    except: { uws: CUT },
  },
];

const TARGETS: Row[] = [
  ...[
    "/a\\..\\metrics",
    "/v1\\x",
    "/v1/../metrics",
    "/v1/..",
    "/./metrics",
    "/v1/%2e%2E/metrics",
    "/v1/.%2e/metrics",
    "/v1/%2e",
    "//metrics",
    "/v1//orders",
    "/v1/orders//",
    "//agent/",
    "///agent",
    "/metrics#x",
    "/v1?a=b#c",
  ].map((target) => ({ name: `target ${target}`, sends: get(target), want: BAD })),
  ...[
    "http://b/metrics",
    "http://a/metrics",
    "*",
    "metrics",
    "/met\trics",
    "/met\x01rics",
    "/met\x00rics",
    "/a b",
  ].map((target) => ({
    name: `target ${JSON.stringify(target)}`,
    sends: get(target),
    want: NO_REQUEST_LINE,
  })),
  ...["/gr\xc3\xbc", "/met\xffrics", "/v1?room=gr\xc3\xbc"].map((target) => ({
    name: `target ${JSON.stringify(target)}`,
    sends: get(target),
    want: BAD,
  })),
  ...["/", "/v1/a..b", "/v1/.a", "/v1/...", "/v1/a%2Fb", "/v1/%E2%82%AC", "/v1?a=//b/../c", "/v1/a%2e"].map(
    (target) => ({
      name: `target ${target}`,
      sends: get(target),
      want: { served: [`GET ${target}`] },
    }),
  ),
];

const VERSIONS: Row[] = [
  ...["1.2", "2.0", "3.0"].map((version) => ({
    name: `HTTP/${version}`,
    sends: head(`GET /x HTTP/${version}`, "host: a"),
    want: NO_REQUEST_LINE,
  })),
  ...["GET /x hTTp/1.1", "GET\t/x HTTP/1.1", "GET /x HTTP/1.1 ", "PRI * HTTP/2.0"].map((line) => ({
    name: `the line "${line}"`,
    sends: head(line, "host: a"),
    want: NO_REQUEST_LINE,
  })),
  ...["GET /x", "hello"].map((line) => ({
    name: `the line "${line}"`,
    sends: head(line, "host: a"),
    want: NO_REQUEST_LINE,
    except: { uws: "waits" } as const,
  })),
  {
    name: "two spaces in the request line",
    sends: head("GET  /x HTTP/1.1", "host: a"),
    want: NO_REQUEST_LINE,
    except: { ws: { served: ["GET /x"] }, node: { served: ["GET /x"] } },
  },
  {
    name: "empty lines before a request",
    sends: `\r\n\r\n${get("/x")}`,
    want: { served: ["GET /x"] },
    except: { uws: "waits" },
  },
  {
    name: "HTTP/1.0",
    sends: head("GET /x HTTP/1.0", "host: a"),
    want: BAD_VERSION,
    except: { node: { served: ["GET /x"], closes: true } },
  },
  {
    name: "HTTP/1.0 without a host",
    sends: head("OPTIONS /x HTTP/1.0"),
    want: BAD_VERSION,
    except: { node: { served: ["OPTIONS /x"], closes: true } },
  },
  {
    name: "HTTP/1.0 with chunks",
    sends: head("POST /x HTTP/1.0", "host: a", "transfer-encoding: chunked") + CHUNKS,
    want: { refused: [400, 505] },
  },
  ...["get", "FOO", "G(T", "TRACE", "TRACK"].map((method) => ({
    name: `method ${method}`,
    sends: head(`${method} /x HTTP/1.1`, "host: a"),
    want: BAD,
  })),
  // Node cuts it, without a word.
  {
    name: "CONNECT",
    sends: head("CONNECT a:80 HTTP/1.1", "host: a"),
    want: { refused: [505] },
    except: { ws: CUT, node: CUT },
  },
  { name: "TLS", sends: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: NO_REQUEST_LINE },
];

const HEADERS: Row[] = [
  ...[
    ["a folded one", "x: y\r\n z"],
    ["a space before the colon", "x : y"],
    ["no colon", "nocolon"],
    ["a line feed alone", "x: a\ny: b"],
    ["a NUL", "x: a\x00b"],
    ["a control character", "x: a\x01b"],
    ["a DEL", "x: a\x7fb"],
    ["a control character in the name", "x\x01y: a"],
    ["a bracket in the name", "x(y: a"],
    ["UTF-8 in the name", "x\xc3\xbc: a"],
  ].map(([name, line = ""]) => ({ name: `a header with ${name}`, sends: get("/x", line), want: BAD })),
  { name: "a carriage return alone", sends: get("/x", "x: a\ry: b"), want: BAD, except: { uws: "waits" } },
  { name: "line feeds for line ends", sends: "GET /x HTTP/1.1\nhost: a\n\n", want: NO_REQUEST_LINE },
  { name: "a folded first header", sends: head("GET /x HTTP/1.1", " host: a"), want: BAD },
  // It takes that for the end of the headers, and what follows it is not seen by anybody.
  {
    name: "a header without a name",
    sends: get("/x", ": a"),
    want: BAD,
    except: { uws: { served: ["GET /x"] } },
  },
  { name: "a header in Latin-1", sends: get("/x", "x: \xff"), want: { served: ["GET /x"] } },
  { name: "a header in UTF-8", sends: get("/x", "x: \xe5\x8c\x97"), want: { served: ["GET /x"] } },
  { name: "50 headers", sends: get("/x", ...many(50)), want: { served: ["GET /x"] } },
  { name: "101 headers", sends: get("/x", ...many(100)), want: TOO_MUCH },
  {
    name: "2,100 headers, then a length",
    sends: post([...Array(2_100).fill("a:"), "content-length: 3"], "abc"),
    want: TOO_MUCH,
  },
  { name: "a header of 20 KB", sends: get("/x", `x: ${"y".repeat(20_000)}`), want: TOO_MUCH },
  { name: "a target of 20 KB", sends: get(`/${"y".repeat(20_000)}`), want: TOO_MUCH },
  {
    name: "expect",
    sends: post(["expect: 100-continue", "content-length: 3"], "abc"),
    want: { served: ["POST /x abc"] },
  },
  {
    name: "expect something else",
    sends: post(["expect: x", "content-length: 3"], "abc"),
    want: { refused: [417] },
  },
];

export const ROWS: readonly Row[] = [
  ...HOSTS,
  ...LENGTHS,
  ...CODINGS,
  ...CHUNKED,
  ...TARGETS,
  ...VERSIONS,
  ...HEADERS,
];
