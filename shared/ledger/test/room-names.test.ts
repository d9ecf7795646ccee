/** What one room is called is nothing to another: their keys are their own, and those of one are on one slot. */

import { roomTag } from "@muster/ledger/keys";
import { expect, test } from "vitest";

/** As a script finds it in its first key, and as Redis finds what it hashes. */
const tagInLua = (key: string) => /^.*?\}:/.exec(key)?.[0];
const hashed = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];

const NAMES = ["a", "a}", "}", "}:", "a}:b", "a}:people:x", "{a}", "a%7D", "room-hex/61", "\ud800}", "日本}"];

test("a script's tag is the room's own, whatever is in its name", () => {
  const tags = NAMES.map(roomTag);
  expect(new Set(tags).size).toBe(NAMES.length);
  for (const tag of tags) {
    expect(tagInLua(`${tag}infos`), tag).toBe(tag);
    expect(`muster:{${hashed(tag)}}:`, tag).toBe(tag);
  }
});

test("a name without a brace has the key that it had", () => {
  expect(roomTag("call/7 {x")).toBe("muster:{room/call/7 {x}:");
});
