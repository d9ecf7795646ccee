/**
 * What the generated codecs stand on: protobufjs' reader and writer with int64 as bigint, a bound on what one frame may
 * unfold into, and a writer that cannot make a frame that another implementation refuses. A stock Node worker dies of
 * one malformed frame, so the writer repairs or throws, always. Nothing here changes protobufjs for anybody else.
 */

import { InvariantError } from "@muster/domain/assert";
import protobuf from "protobufjs/minimal.js";
import { toWellFormed } from "./well-formed.js";

export interface MessageCodec<T> {
  /** A message with the given fields; the others read as their zero value, or null where they have presence. */
  create(fields?: Partial<T>): T;
  encode(message: Partial<T>, writer?: WireWriter): WireWriter;
  /** @throws Error of any kind when the bytes are malformed */
  decode(source: Uint8Array | WireReader): T;
}

/** 64 bits as protobufjs hands them out, and as it accepts them besides numbers. */
interface LongBits {
  low: number;
  high: number;
}

interface ReaderBase {
  readonly buf: Uint8Array;
  discardUnknown: boolean;
  size(): number;
  raw(start: number, end: number): Uint8Array;
  int64(): unknown;
  uint64(): unknown;
}

const ReaderBase = protobuf.Reader as unknown as new (bytes: Uint8Array) => ReaderBase;

/**
 * How many length-prefixed and unknown fields a frame may have. Each becomes an object of up to some hundred bytes, so
 * without a bound a 2 MiB frame of two-byte submessages would take half a gigabyte. Real frames stay below a few hundred.
 */
const MAX_UNTRUSTED_FIELDS = 65_536;

export class WireReader extends ReaderBase {
  #fieldsLeft: number;

  private constructor(bytes: Uint8Array, maxFields: number, keepUnknown: boolean) {
    super(bytes);
    this.#fieldsLeft = maxFields;
    this.discardUnknown = !keepUnknown;
  }

  /** For bytes from outside: bounded. Unknown fields are kept, so that what is passed on is passed on whole. */
  static untrusted(bytes: Uint8Array): WireReader {
    return new WireReader(bytes, MAX_UNTRUSTED_FIELDS, true);
  }

  /** For bytes that we wrote or that are bounded in another way. What the generated code uses when given bytes. */
  static create(bytes: Uint8Array): WireReader {
    return new WireReader(bytes, Number.POSITIVE_INFINITY, true);
  }

  override size(): number {
    this.#countField();
    return super.size();
  }

  /** Unknown fields outlive the frame, whose memory the socket takes back, so they are copied out of it. */
  override raw(start: number, end: number): Uint8Array {
    this.#countField();
    return Uint8Array.prototype.slice.call(this.buf, start, end);
  }

  override int64(): bigint {
    const { low, high } = super.int64() as LongBits;
    const approximate = high * 0x1_0000_0000 + (low >>> 0);
    if (Number.isSafeInteger(approximate)) return BigInt(approximate);
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  override uint64(): bigint {
    const { low, high } = super.uint64() as LongBits;
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  }

  #countField(): void {
    if (--this.#fieldsLeft < 0) throw new RangeError(`more than ${MAX_UNTRUSTED_FIELDS} fields`);
  }
}

interface WriterBase {
  uint32(value: number): this;
  int32(value: number): this;
  int64(value: unknown): this;
  uint64(value: unknown): this;
  string(value: string): this;
  finish(): Uint8Array;
}

const WriterBase = protobuf.BufferWriter as unknown as new () => WriterBase;

export class WireWriter extends WriterBase {
  static create(): WireWriter {
    return new WireWriter();
  }

  override uint32(value: number): this {
    if (value !== value >>> 0) throw new InvariantError("not an unsigned 32 bit integer");
    return super.uint32(value);
  }

  override int32(value: number): this {
    if (value !== (value | 0)) throw new InvariantError("not a signed 32 bit integer");
    return super.int32(value);
  }

  /** protobufjs alone would write a bigint as 0. */
  override int64(value: bigint): this {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) {
      throw new InvariantError("not a signed 64 bit bigint");
    }
    const approximate = Number(value);
    if (Number.isSafeInteger(approximate)) return super.int64(approximate);
    const bits: LongBits = { low: Number(BigInt.asIntN(32, value)), high: Number(value >> 32n) };
    return super.int64(bits);
  }

  override uint64(value: bigint): this {
    if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) {
      throw new InvariantError("not an unsigned 64 bit bigint");
    }
    const bits: LongBits = {
      low: Number(BigInt.asIntN(32, value)),
      high: Number(BigInt.asIntN(32, value >> 32n)),
    };
    return super.uint64(bits);
  }

  /** Half a surrogate pair has no UTF-8. protobufjs would write it anyway, and Python refuses the whole frame. */
  override string(value: string): this {
    return super.string(toWellFormed(value));
  }
}

/** The names under which the generated code finds them. `roots` keeps its messages out of protobufjs' global ones. */
export { WireReader as Reader, WireWriter as Writer };
export const util = protobuf.util;
export const roots = {};
