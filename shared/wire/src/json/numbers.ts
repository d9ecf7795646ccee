/**
 * The numbers of proto3 JSON: 32 bit integers and floats as JSON numbers or strings of one, 64 bit integers exactly.
 */

import { DispatchError } from "@muster/domain/errors";

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;
const UNSIGNED = /^(0|[1-9]\d{0,19})$/;
const INTEGER = /^-?(0|[1-9]\d{0,18})$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const MAX_NUMBER_LENGTH = 64;

export function readInt32(value: unknown, path: string): number {
  const number = asNumber(value);
  if (number === undefined || number !== (number | 0)) throw refuse(path, "must be a 32 bit integer");
  return withoutSign(number);
}

export function readUint32(value: unknown, path: string): number {
  const number = asNumber(value);
  if (number === undefined || number !== number >>> 0)
    throw refuse(path, "must be an unsigned 32 bit integer");
  return withoutSign(number);
}

export function readInt64(value: unknown, path: string): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "string" && INTEGER.test(value)) {
    const integer = BigInt(value);
    if (integer >= MIN_INT64 && integer <= MAX_INT64) return integer;
  }
  throw refuse(path, "must be a 64 bit integer, written as a number or a string of its digits");
}

export function readUint64(value: unknown, path: string): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === "string" && UNSIGNED.test(value)) {
    const integer = BigInt(value);
    if (integer <= MAX_UINT64) return integer;
  }
  throw refuse(path, "must be an unsigned 64 bit integer, written as a number or a string of its digits");
}

const NOT_FINITE: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** Rounded to 32 bits, as the binary encoding would have it. */
export function readFloat(value: unknown, path: string): number {
  if (typeof value === "string" && Object.hasOwn(NOT_FINITE, value)) return NOT_FINITE[value] as number;
  const number = asNumber(value);
  const rounded = number === undefined ? Number.NaN : Math.fround(number);
  if (!Number.isFinite(rounded)) throw refuse(path, "must be a 32 bit float");
  return rounded;
}

/** JSON has a negative zero, integers have not. */
function withoutSign(number: number): number {
  return number === 0 ? 0 : number;
}

function asNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.length > MAX_NUMBER_LENGTH || !NUMBER.test(value)) return undefined;
  return Number(value);
}

function refuse(path: string, problem: string): DispatchError {
  return new DispatchError("malformed", problem, path);
}
