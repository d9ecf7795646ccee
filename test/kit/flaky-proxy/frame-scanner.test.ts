import fc from "fast-check";
import { expect, test } from "vitest";
import { type Frame, FrameScanner } from "./frame-scanner.js";

const requests = [
  "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n",
  "PING\r\n",
  "*1\r\n$7\r\ncluster\r\n",
  "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
  "\r\n",
  "*0\r\n",
  "SET inline value\r\n",
];
const replies = [
  "+OK\r\n",
  "-ERR *3 is no header here\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "$6\r\n$3\r\n*1\r\n",
  "*2\r\n*2\r\n:1\r\n$1\r\na\r\n%1\r\n+k\r\n*0\r\n",
  "_\r\n",
  "~1\r\n,1.5\r\n",
  ">2\r\n+message\r\n+x\r\n",
  "|1\r\n+ttl\r\n:1\r\n=5\r\ntxt:a\r\n",
  "!5\r\nERR a\r\n",
];

/** Feeds the stream in pieces of the given lengths, over and over, and returns each frame with where it ended. */
function scanAll(kind: "request" | "reply", stream: Buffer, pieceLengths: readonly number[]) {
  const scanner = new FrameScanner({ kind });
  const seen: (Frame & { end: number })[] = [];
  for (let at = 0, piece = 0; at < stream.length; piece++) {
    const length = pieceLengths[piece % pieceLengths.length] ?? 1;
    const bytes = stream.subarray(at, at + length);
    for (let read = 0; read < bytes.length; ) {
      const scanned = scanner.scan(bytes.subarray(read));
      read += scanned.length;
      if (scanned.frame) seen.push({ ...scanned.frame, end: at + read });
    }
    at += bytes.length;
  }
  return { seen, isBetweenFrames: scanner.isBetweenFrames() };
}

test.each([
  ["request", requests],
  ["reply", replies],
] as const)("every %s ends where it ends, however the stream is cut", (kind, frames) => {
  const ends = frames.map((_, index) => Buffer.byteLength(frames.slice(0, index + 1).join("")));
  const pieces = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(pieces, (pieceLengths) => {
      const { seen, isBetweenFrames } = scanAll(kind, Buffer.from(frames.join("")), pieceLengths);
      expect(seen.map((frame) => frame.end)).toEqual(ends);
      expect(isBetweenFrames).toBe(true);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test("a request tells its first two words, a reply its type", () => {
  const stream = (frames: string[]) => Buffer.from(frames.join(""));
  expect(scanAll("request", stream(requests), [5]).seen.map((frame) => frame.words)).toEqual([
    ["SET", "k"],
    ["PING"],
    ["cluster"],
    ["GET", ""],
    [],
    [],
    ["SET", "inline"],
  ]);
  const types = scanAll("reply", stream(replies), [5]).seen.map((frame) => frame.type);
  expect(types.join("")).toBe(replies.map((reply) => reply.charAt(0)).join(""));
});

test("of long words it keeps the first 64 bytes", () => {
  const long = "k".repeat(5_000);
  const request = Buffer.from(`*2\r\n$3\r\nGET\r\n$5000\r\n${long}\r\n`);
  expect(scanAll("request", request, [7]).seen[0]?.words).toEqual(["GET", "k".repeat(64)]);
});

test("what is not RESP is one frame without an end", () => {
  const { seen, isBetweenFrames } = scanAll("request", Buffer.from("*x\r\n*1\r\n$4\r\nPING\r\n"), [3]);
  expect(seen).toEqual([]);
  expect(isBetweenFrames).toBe(false);
});
