/**
 * Patterns with `*` (any text, also none) and `?` (one character), matched against a whole text. Both come from outside,
 * so no pattern may make a text expensive: all positions in the pattern that the text so far may have led to are walked
 * along together, as bits, and the cost of a character is the same whatever was matched before it.
 *
 * Upper and lower case differ. There is no escape: who means a `*` itself lists the text instead of matching it.
 */

/** Refused above this; bounds the work for one character of the text to 17 words of 32 bits. */
export const MAX_PATTERN_BYTES = 512;

const WORD_BITS = 32;

/** Why a pattern is refused, or undefined when it is fine. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === "") return "is empty, which matches nothing";
  const bytes = new TextEncoder().encode(pattern).byteLength;
  return bytes > MAX_PATTERN_BYTES ? `${bytes} bytes; at most ${MAX_PATTERN_BYTES} are taken` : undefined;
}

/** A pattern that is matched more than once. */
export interface Wildcard {
  /** What each text begins with that it matches. */
  prefix: string;
  matches(text: string): boolean;
}

/** True when the pattern matches all of the text. Linear in the text; for a pattern that `patternProblem` let through. */
export function matchesWildcard(pattern: string, text: string): boolean {
  return wildcardOf(pattern).matches(text);
}

/** Taken apart once; what it then costs to match a text is by the text alone. */
export function wildcardOf(pattern: string): Wildcard {
  const literals = pattern.split(/[*?]/);
  const prefix = literals[0] ?? "";
  const suffix = literals.at(-1) ?? "";
  let compiled: Compiled | undefined;
  return {
    prefix,
    matches(text) {
      // Most names differ from most patterns at one of their ends.
      if (!text.startsWith(prefix) || !text.endsWith(suffix)) return false;
      compiled ??= compile(pattern);
      return walk(compiled, text);
    },
  };
}

function walk({ accepts, acceptsAny, stays, end }: Compiled, text: string): boolean {
  const reached = new Uint32Array(stays.length);
  setBit(reached, 0);
  for (const character of text) {
    advance(reached, accepts.get(character) ?? acceptsAny, stays);
  }
  return hasBit(reached, end);
}

/** Bit i stands for "the first i characters of the pattern, stars not counted, are matched". */
interface Compiled {
  /** From which bits a character leads on to the next. */
  accepts: ReadonlyMap<string, Uint32Array>;
  /** The same for a character that the pattern does not name: only `?` takes it. */
  acceptsAny: Uint32Array;
  /** Where a star takes any character without moving on. */
  stays: Uint32Array;
  end: number;
}

function compile(pattern: string): Compiled {
  const named = [...pattern].filter((character) => character !== "*");
  const newBits = () => new Uint32Array(Math.floor(named.length / WORD_BITS) + 1);
  const acceptsAny = newBits();
  named.forEach((character, at) => {
    if (character === "?") setBit(acceptsAny, at);
  });
  const accepts = new Map<string, Uint32Array>();
  named.forEach((character, at) => {
    if (character === "?") return;
    const bits = accepts.get(character) ?? acceptsAny.slice();
    setBit(bits, at);
    accepts.set(character, bits);
  });
  const stays = newBits();
  let at = 0;
  for (const character of pattern) {
    if (character === "*") setBit(stays, at);
    else at += 1;
  }
  return { accepts, acceptsAny, stays, end: named.length };
}

/** One character further: each bit that accepts it moves up by one, and those at a star also stay. */
function advance(reached: Uint32Array, accepted: Uint32Array, stays: Uint32Array): void {
  let carry = 0;
  for (let word = 0; word < reached.length; word++) {
    const before = reached[word] ?? 0;
    const moving = before & (accepted[word] ?? 0);
    reached[word] = (moving << 1) | carry | (before & (stays[word] ?? 0));
    carry = moving >>> (WORD_BITS - 1);
  }
}

function setBit(bits: Uint32Array, at: number): void {
  const word = Math.floor(at / WORD_BITS);
  bits[word] = (bits[word] ?? 0) | (1 << (at % WORD_BITS));
}

function hasBit(bits: Uint32Array, at: number): boolean {
  return ((bits[Math.floor(at / WORD_BITS)] ?? 0) & (1 << (at % WORD_BITS))) !== 0;
}
