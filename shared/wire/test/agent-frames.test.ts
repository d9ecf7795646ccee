import { ServerMessage as KnownServerMessage, WorkerMessage as KnownWorkerMessage } from "@livekit/protocol";
import { DispatchError } from "@muster/domain/errors";
import { MAX_FRAME_BYTES } from "@muster/domain/limits";
import {
  decodeServerMessage,
  decodeWorkerMessage,
  decodeWorkerMessageJson,
  encodeServerMessage,
  encodeServerMessageJson,
  encodeWorkerMessage,
  encodeWorkerMessageJson,
} from "@muster/wire/agent-codec";
import { Job, JobState } from "@muster/wire/generated/livekit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

function refusalOf(run: () => unknown): DispatchError {
  try {
    run();
  } catch (error) {
    if (error instanceof DispatchError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("binary frames from workers", () => {
  const register = encodeWorkerMessage({
    case: "register",
    value: { agentName: "greeter", version: "1.9.0" },
  });

  it("are refused when cut anywhere, unless what is left is a whole message", () => {
    for (let length = 1; length < register.length; length++) {
      const error = refusalOf(() => decodeWorkerMessage(register.subarray(0, length)));
      expect([error.code, error.field], `cut at ${length}`).toEqual(["malformed", "frame"]);
    }
  });

  it.each([
    ["a length beyond the end", bytes(0x0a, 0x7f, 0x01)],
    ["a length of 2 GiB", bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07)],
    ["invalid UTF-8 in a string", bytes(0x0a, 0x04, 0x42, 0x02, 0xc3, 0x28)],
    ["half a surrogate pair in a string", bytes(0x0a, 0x05, 0x42, 0x03, 0xed, 0xa0, 0x80)],
    ["invalid UTF-8 in a map", bytes(0x12, 0x07, 0x3a, 0x05, 0x0a, 0x01, 0xff, 0x12, 0x00)],
    ["field number 0", bytes(0x02, 0x00)],
    ["wire type 6", bytes(0x0e, 0x00)],
    ["wire type 7", bytes(0x0f, 0x00)],
    ["an end of a group that was not begun", bytes(0x0c)],
    ["a group that is not ended", bytes(0x7b)],
    ["groups in groups without end", new Uint8Array(100_000).fill(0x7b)],
    ["a varint that does not end", bytes(0x2a, 0x0c, 0x08, ...new Array(11).fill(0xff))],
    ["text", new TextEncoder().encode('{"register":{}}')],
  ])("are refused: %s", (_name, frame) => {
    expect(refusalOf(() => decodeWorkerMessage(frame)).code).toBe("malformed");
  });

  it("are refused when a few bytes would unfold into hundreds of megabytes", () => {
    const tracks = new Uint8Array(1_000_000).fill(0);
    for (let at = 0; at < tracks.length; at += 2) tracks[at] = 0x22;
    const participant = lengthPrefixed(0x1a, tracks);
    const error = refusalOf(() => decodeWorkerMessage(lengthPrefixed(0x32, participant)));
    expect(error.message).toContain("more than 65536 fields");
  });

  it("are refused over 2 MiB, whatever they hold", () => {
    expect(refusalOf(() => decodeWorkerMessage(new Uint8Array(MAX_FRAME_BYTES + 1))).code).toBe("too_large");
  });

  it.each([
    ["an empty frame", bytes()],
    ["a kind that is newer than we are", bytes(0xa2, 0x06, 0x00)],
    ["a known kind with another wire type", bytes(0x08, 0x01)],
  ])("are unknown: %s", (_name, frame) => {
    expect(decodeWorkerMessage(frame)).toEqual({ case: "unknown" });
  });

  it("never throw anything but a refusal, whatever the bytes", () => {
    const near = fc
      .tuple(fc.constantFrom(register), fc.nat(), fc.nat({ max: 255 }))
      .map(([frame, at, byte]) => {
        const changed = Uint8Array.from(frame);
        changed[at % changed.length] = byte;
        return changed;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), near), (frame) => {
        try {
          decodeWorkerMessage(frame);
        } catch (error) {
          expect(error).toBeInstanceOf(DispatchError);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("tell absent from zero where the wire does", () => {
    const absent = decodeWorkerMessage(encodeWorkerMessage({ case: "updateWorker", value: { load: 0.5 } }));
    const zero = decodeWorkerMessage(
      encodeWorkerMessage({ case: "updateWorker", value: { load: 0.5, status: 0 } }),
    );
    expect(absent.case === "updateWorker" && absent.value.status).toBeNull();
    expect(zero.case === "updateWorker" && zero.value.status).toBe(0);
  });

  it("hold a key __proto__ as a key", () => {
    const attributes = Object.fromEntries([["__proto__", "polluted"]]);
    const value = { participantAttributes: attributes };
    for (const decoded of [
      decodeWorkerMessage(encodeWorkerMessage({ case: "availability", value })),
      decodeWorkerMessageJson('{"availability":{"participantAttributes":{"__proto__":"polluted"}}}'),
    ]) {
      const read = decoded.case === "availability" ? decoded.value.participantAttributes : {};
      expect(Object.entries(read)).toEqual([["__proto__", "polluted"]]);
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    }
  });
});

describe("text frames from workers", () => {
  it.each([
    ["not JSON", "{", "frame"],
    ["nothing", "", "frame"],
    ["null", "null", "WorkerMessage"],
    ["an array", "[]", "WorkerMessage"],
    ["a string", '"register"', "WorkerMessage"],
    ["deep nesting", "[".repeat(200_000), "frame"],
    ["a message that is an array", '{"register":[]}', "register"],
    ["a number for a string", '{"register":{"agentName":1}}', "register.agentName"],
    ["the same, in snake_case", '{"register":{"agent_name":1}}', "register.agent_name"],
    ["both names of one field", '{"register":{"agentName":"a","agent_name":"b"}}', "register.agentName"],
    ["an unknown enum name", '{"register":{"type":"JT_ROBOT"}}', "register.type"],
    ["a fractional enum", '{"register":{"type":1.5}}', "register.type"],
    ["a string for a boolean", '{"availability":{"available":"true"}}', "availability.available"],
    ["a number for a boolean", '{"availability":{"available":1}}', "availability.available"],
    ["a negative unsigned", '{"updateWorker":{"jobCount":-1}}', "updateWorker.jobCount"],
    ["an unsigned of 33 bits", '{"updateWorker":{"jobCount":4294967296}}', "updateWorker.jobCount"],
    ["a float that is a word", '{"updateWorker":{"load":"high"}}', "updateWorker.load"],
    ["a float beyond 32 bits", '{"updateWorker":{"load":1e39}}', "updateWorker.load"],
    ["an int64 that is fractional", '{"ping":{"timestamp":1.5}}', "ping.timestamp"],
    ["an int64 of 65 bits", '{"ping":{"timestamp":"9223372036854775808"}}', "ping.timestamp"],
    ["an int64 that lost digits", '{"ping":{"timestamp":1e18}}', "ping.timestamp"],
    ["an int64 in hexadecimal", '{"ping":{"timestamp":"0x10"}}', "ping.timestamp"],
    ["an object for an array", '{"migrateJob":{"jobIds":{"0":"AJ_1"}}}', "migrateJob.jobIds"],
    ["null in an array", '{"migrateJob":{"jobIds":["AJ_1",null]}}', "migrateJob.jobIds[1]"],
    [
      "an array for a map",
      '{"availability":{"participantAttributes":[]}}',
      "availability.participantAttributes",
    ],
    [
      "a number in a map",
      '{"availability":{"participantAttributes":{"a":1}}}',
      "availability.participantAttributes.a",
    ],
    ["half a surrogate pair", '{"register":{"agentName":"\\ud800"}}', "register.agentName"],
    ["two kinds at once", '{"ping":{},"register":{}}', "ping"],
    [
      "a wrong type deep inside",
      '{"simulateJob":{"room":{"enabledCodecs":[{"mime":7}]}}}',
      "simulateJob.room.enabledCodecs[0].mime",
    ],
    [
      "too many values",
      `{"simulateJob":{"participant":{"tracks":[${"{},".repeat(70_000)}{}]}}}`,
      "simulateJob.participant.tracks[65534]",
    ],
  ])("are refused with the field named: %s", (_name, text, field) => {
    const error = refusalOf(() => decodeWorkerMessageJson(text));
    expect([error.code, error.field]).toEqual(["malformed", field]);
  });

  it.each([
    ["snake_case", '{"update_worker":{"job_count":3}}', { updateWorker: { jobCount: 3 } }],
    ["enum by number", '{"register":{"type":1}}', { register: { type: "JT_PUBLISHER" } }],
    ["an enum number that is not known", '{"register":{"type":9}}', { register: { type: 9 } }],
    ["integers as strings", '{"updateWorker":{"jobCount":"3"}}', { updateWorker: { jobCount: 3 } }],
    ["an integer with an exponent", '{"updateWorker":{"jobCount":3e2}}', { updateWorker: { jobCount: 300 } }],
    ["a float as a string", '{"updateWorker":{"load":"0.5"}}', { updateWorker: { load: 0.5 } }],
    ["a float that is not a number", '{"updateWorker":{"load":"NaN"}}', { updateWorker: { load: "NaN" } }],
    ["unknown fields", '{"ping":{"timestamp":"7","x":[{}]},"y":1}', { ping: { timestamp: "7" } }],
    ["null", '{"register":null,"ping":{"timestamp":null}}', { ping: {} }],
    [
      "a long integer as a number",
      '{"ping":{"timestamp":1767225600123456789}}',
      { ping: { timestamp: "1767225600123456789" } },
    ],
    [
      "the smallest integer",
      '{"ping":{"timestamp":-9223372036854775808}}',
      { ping: { timestamp: "-9223372036854775808" } },
    ],
    [
      "digits inside strings, left alone",
      '{"updateJob":{"jobId":"12345678901234567890","error":"\\"12345678901234567890 \\\\"}}',
      { updateJob: { jobId: "12345678901234567890", error: '"12345678901234567890 \\' } },
    ],
  ])("are read: %s", (_name, text, expected) => {
    const read = decodeWorkerMessageJson(text);
    if (read.case === "unknown") throw new Error("read as unknown");
    expect(JSON.parse(encodeWorkerMessageJson(read))).toEqual(expected);
  });

  it("are unknown when they name no kind", () => {
    expect(decodeWorkerMessageJson('{"somethingNew":{}}')).toEqual({ case: "unknown" });
  });

  it("are never JSON only because long integers were quoted", () => {
    expect(refusalOf(() => decodeWorkerMessageJson("{12345678901234567:1}")).field).toBe("frame");
    expect(
      refusalOf(() => decodeWorkerMessageJson('{"ping":{"timestamp":01234567890123456789}}')).field,
    ).toBe("frame");
  });

  it("name the field but never quote the input", () => {
    const error = refusalOf(() => decodeWorkerMessageJson('{"updateJob":{"error":"secret"}'));
    expect(error.message).not.toContain("secret");
  });
});

describe("64 bit integers", () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const edges = [
    0n,
    1n,
    -1n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ];

  it("survive binary and JSON exactly, and are what @livekit/protocol writes", () => {
    fc.assert(
      fc.property(fc.oneof(int64, fc.constantFrom(...edges)), (timestamp) => {
        const frame = encodeWorkerMessage({ case: "ping", value: { timestamp } });
        const known = new KnownWorkerMessage({ message: { case: "ping", value: { timestamp } } });
        expect(Buffer.from(frame).equals(known.toBinary())).toBe(true);
        expect(decodeWorkerMessage(frame)).toMatchObject({ case: "ping" });
        for (const read of [
          decodeWorkerMessage(frame),
          decodeWorkerMessageJson(`{"ping":{"timestamp":"${timestamp}"}}`),
          decodeWorkerMessageJson(`{"ping":{"timestamp":${timestamp}}}`),
        ]) {
          expect(read.case === "ping" && read.value.timestamp).toBe(timestamp);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("keep the nanoseconds of a job", () => {
    const startedAt = 1767225600123456789n;
    const job = Job.create({ state: JobState.create({ startedAt }) });
    const read = decodeServerMessage(
      encodeServerMessage({ case: "availability", value: { job, resuming: false } }),
    );
    expect(read.case === "availability" && read.value.job?.state?.startedAt).toBe(startedAt);
  });
});

describe("frames to workers", () => {
  const job = Job.create({
    id: "AJ_1",
    state: JobState.create({ status: 1, startedAt: 1767225600123456789n }),
  });

  it("are well formed whatever the strings hold", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat({ max: 60 }), (text, at) => {
        const broken = `${text.slice(0, at)}\ud800${text.slice(at)}`;
        const frame = encodeServerMessage({
          case: "assignment",
          value: { job: Job.create({ metadata: broken }), url: null, token: broken },
        });
        const strict = new TextDecoder("utf-8", { fatal: true });
        const known = KnownServerMessage.fromBinary(frame).message;
        const value = known.case === "assignment" ? known.value : undefined;
        expect(value?.token).toBe(Buffer.from(broken).toString());
        expect(() => strict.decode(new TextEncoder().encode(value?.job?.metadata))).not.toThrow();
        expect(decodeServerMessage(frame).case).toBe("assignment");
      }),
    );
  });

  it("throw rather than carry a number that is none", () => {
    const pong = (timestamp: unknown) => () =>
      encodeServerMessage({ case: "pong", value: { lastTimestamp: 0n, timestamp: timestamp as bigint } });
    for (const wrong of [1, 1.5, "7", 2n ** 63n]) expect(pong(wrong)).toThrow("not a signed 64 bit bigint");
    for (const wrong of [1.5, Number.NaN, 2 ** 31]) {
      expect(() =>
        encodeServerMessage({
          case: "availability",
          value: { job: Job.create({ type: wrong }), resuming: false },
        }),
      ).toThrow();
    }
  });

  it("are, in JSON, what @livekit/protocol writes", () => {
    const frame = encodeServerMessage({ case: "assignment", value: { job, url: "", token: "t" } });
    const json = encodeServerMessageJson({ case: "assignment", value: { job, url: "", token: "t" } });
    expect(JSON.parse(json)).toEqual(KnownServerMessage.fromBinary(frame).toJson());
    expect(JSON.parse(json)).toEqual({
      assignment: {
        job: { id: "AJ_1", state: { status: "JS_RUNNING", startedAt: "1767225600123456789" } },
        url: "",
        token: "t",
      },
    });
  });

  it("do not share memory with each other", () => {
    const first = encodeServerMessage({ case: "termination", value: { jobId: "AJ_first" } });
    encodeServerMessage({ case: "termination", value: { jobId: "AJ_other" } });
    expect(decodeServerMessage(first)).toMatchObject({ value: { jobId: "AJ_first" } });
  });
});

function lengthPrefixed(tag: number, content: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = content.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Uint8Array.from([tag, ...length, rest, ...content]);
}

it("reads what newer workers say of their drain and their reports' order, as PyPI's livekit-protocol 1.1.29 writes it", () => {
  const frame = Buffer.from("1a1608011d0000003f2002280130ffffffffffffffffff01", "hex");
  const said = { status: 1, load: 0.5, jobCount: 2, draining: true, seq: 2n ** 64n - 1n };
  expect(decodeWorkerMessage(frame)).toMatchObject({ case: "updateWorker", value: said });
  expect(Buffer.from(encodeWorkerMessage({ case: "updateWorker", value: said })).equals(frame)).toBe(true);
  const json = `{"updateWorker":{"status":"WS_FULL","load":0.5,"jobCount":2,"draining":true,"seq":"18446744073709551615"}}`;
  expect(decodeWorkerMessageJson(json)).toMatchObject({ case: "updateWorker", value: said });
  expect(JSON.parse(encodeWorkerMessageJson({ case: "updateWorker", value: said }))).toEqual(
    JSON.parse(json),
  );
  for (const seq of ["-1", "18446744073709551616", "1.5", -1])
    expect(refusalOf(() => decodeWorkerMessageJson(JSON.stringify({ updateWorker: { seq } }))).field).toBe(
      "updateWorker.seq",
    );
});
