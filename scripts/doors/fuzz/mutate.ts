/** Owns how sound input is broken: bytes, JSON values, texts. All chance is the caller's. */
import type { Random } from "../../../test/cluster/siege/random.js";

const INTERESTING = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x7d, 0x0a, 0x0d];
/** A varint that says more bytes than there are: 2^32, 2^63, and one without an end. */
const HUGE = [
  [0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/** A few changes, one on top of the other. */
export function mutateBytes(bytes: Uint8Array, random: Random): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let times = random.between(1, 4); times > 0; times--) changed = once(changed, random);
  return changed;
}

function once(bytes: Buffer, random: Random): Buffer {
  const at = random.between(0, bytes.length);
  const rest = () => bytes.subarray(Math.min(bytes.length, at + random.between(0, 8)));
  switch (random.between(0, 6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << random.between(0, 7)), at);
      return flipped;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([random.pick(INTERESTING)]),
        bytes.subarray(at),
      ]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), rest()]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(HUGE)), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, random.between(1, 16)), rest()]);
  }
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)));
}

const ODD_VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 0.5, 1e308, -1e308, 2 ** 53, "", "\0", "\ud800", "__proto__", "constructor", "NaN"],
  ...[
    [],
    {},
    [[[[]]]],
    { __proto__: 1 },
    "x".repeat(5_000),
    "\u202e",
    "../..",
    "%00",
    "{}",
    "}{",
    "*",
    "a:b",
  ],
];

/** The text of a JSON value of which some part is another. */
export function mutateJson(value: unknown, random: Random): string {
  // Of the right shape, so that it comes as far as what is behind the first look at it.
  if (random.chance(0.2)) return JSON.stringify(withOddTexts(value, random));
  const text = JSON.stringify(changedValue(value, random, 0));
  switch (random.between(0, 9)) {
    case 0:
      return mutateBytes(Buffer.from(text), random).toString("latin1");
    case 1:
      return `${"[".repeat(random.between(1, 5_000))}${text}`;
    case 2:
      return text.replace("{", `{"__proto__":{"room":"x"},"constructor":1,`);
    case 3:
      return text.replace("{", `{${text.slice(1, -1)}${text.length > 2 ? "," : ""}`);
    default:
      return text;
  }
}

function withOddTexts(value: unknown, random: Random): unknown {
  if (typeof value === "string") return random.chance(0.6) ? oddName(random) : value;
  if (Array.isArray(value)) return value.map((one) => withOddTexts(one, random));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withOddTexts(one, random)]));
}

function changedValue(value: unknown, random: Random, depth: number): unknown {
  if (value === null || typeof value !== "object" || depth > 6) return random.pick(ODD_VALUES);
  if (random.chance(0.1)) return random.pick(ODD_VALUES);
  if (Array.isArray(value))
    return value.map((one) => (random.chance(0.5) ? changedValue(one, random, depth + 1) : one));
  const entries = Object.entries(value);
  const changed = random.between(0, Math.max(0, entries.length - 1));
  const kept = entries.map(([name, one], index) =>
    index === changed ? [name, changedValue(one, random, depth + 1)] : [name, one],
  );
  if (random.chance(0.3)) kept.push([String(random.pick(ODD_VALUES)), random.pick(ODD_VALUES)]);
  if (random.chance(0.2)) kept.splice(changed, 1);
  return Object.fromEntries(kept);
}

const ODD_CHARACTERS = [
  "\0",
  "\n",
  "\r\n",
  " ",
  "/",
  "\\",
  "..",
  "%2f",
  "%00",
  "{",
  "}",
  "*",
  "?",
  ":",
  "#",
  "'",
  '"',
  "é",
  "\u{1f600}",
  "\u202e",
  "\ufeff",
];

/** A name that is none, or barely one. */
export function oddName(random: Random): string {
  const parts = Array.from({ length: random.between(1, 6) }, () =>
    random.chance(0.5) ? random.pick(ODD_CHARACTERS) : "a".repeat(random.pick([1, 3, 64, 256, 512])),
  );
  return parts.join("");
}
