/**
 * JSON.parse for texts that may hold 64 bit integers as bare numbers, which JSON.parse alone would round: nanoseconds
 * do not fit into a double. Such numbers come out as strings of their digits, which proto3 JSON allows for int64 anyway.
 */

import { DispatchError } from "@muster/domain/errors";

const MANY_DIGITS = /\d{16}/;
const LONG_INTEGER = /^-?[1-9]\d{15,}$/;
const NUMBER_PARTS = new Set(Array.from("0123456789+-.eE", (character) => character.charCodeAt(0)));
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** @throws DispatchError `malformed` when the text is not JSON */
export function parseExactJson(text: string, field: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // Checked as it is first: quoting numbers could turn a text that is not JSON into one that is.
    return MANY_DIGITS.test(text) ? JSON.parse(quoteLongIntegers(text)) : value;
  } catch {
    // The parser's message quotes the input, which may hold metadata.
    throw new DispatchError("malformed", "not valid JSON", field);
  }
}

function quoteLongIntegers(text: string): string {
  let quoted = "";
  let copiedTo = 0;
  let at = 0;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
    } else if (NUMBER_PARTS.has(character)) {
      // The "e" of true and false begins a token here too; it has no digits and stays as it is.
      const start = at;
      while (NUMBER_PARTS.has(text.charCodeAt(at))) at++;
      const token = text.slice(start, at);
      if (LONG_INTEGER.test(token)) {
        quoted += `${text.slice(copiedTo, start)}"${token}"`;
        copiedTo = at;
      }
    } else {
      at++;
    }
  }
  return quoted + text.slice(copiedTo);
}

function endOfString(text: string, openingQuote: number): number {
  let at = openingQuote + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}
