/** A body is read up to its bound, and no further, whatever its sender says of it. */
import { expect, test } from "vitest";
import { readBody } from "../src/request-body.js";

const CHUNK_BYTES = 100;
const MAX_BYTES = 10 * CHUNK_BYTES;
const bounds = { maxBytes: MAX_BYTES, take: () => {}, late: new Promise<never>(() => {}) };
const read = (request: Request) => readBody(request, bounds);

/** A request whose body comes in chunks and does not say how large it is; and how much of it was asked for. */
function streamed(chunks: number): { request: Request; pulledBytes: () => number } {
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulled === chunks) return controller.close();
      pulled++;
      controller.enqueue(new Uint8Array(CHUNK_BYTES).fill(pulled));
    },
  });
  const init = { method: "POST", body, duplex: "half" };
  return {
    request: new Request("http://127.0.0.1/", init as RequestInit),
    pulledBytes: () => pulled * CHUNK_BYTES,
  };
}

test("a body of the most that is taken is read whole", async () => {
  const body = await read(streamed(10).request);
  expect(body.byteLength).toBe(MAX_BYTES);
  expect([body[0], body.at(-1)]).toEqual([1, 10]);
});

test("a body without an end is refused as soon as it is too large", async () => {
  const { request, pulledBytes } = streamed(Number.POSITIVE_INFINITY);
  await expect(read(request)).rejects.toMatchObject({ code: "too_large", field: "body" });
  // The stream itself asks for a little more than is read.
  expect(pulledBytes()).toBeLessThanOrEqual(MAX_BYTES + 3 * CHUNK_BYTES);
});

test("a body that says that it is too large is refused unread", async () => {
  const headers = { "content-length": String(MAX_BYTES + 1) };
  const request = new Request("http://127.0.0.1/", { method: "POST", headers, body: "{}" });
  await expect(read(request)).rejects.toMatchObject({ code: "too_large", field: "body" });
});
