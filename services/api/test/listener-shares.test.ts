/** Whose place on the live stream it is, when there are more who want one than places. */

import { describe, expect, test } from "vitest";
import { type ListenerOwner, verdictOn } from "../src/events/listener-shares.js";

const bounds = { eventStreams: 6, eventStreamsPerToken: 4, eventStreamsPerKey: 3 };
let number = 0;
const by = (owners: string) =>
  owners.split(" ").map((name) => {
    const [key = "", token = ""] = name.split("/");
    return { owner: { key, token } satisfies ListenerOwner, number: number++ };
  });

describe("a newcomer", () => {
  test.each([
    ["has a free place", "k/a k/b", "k/a", "free"],
    ["beyond its token's share takes the place of its own oldest", "k/b k/a k/a k/a k/a", "k/a", 1],
    ["when all are taken, takes that of the token with the most", "k/b k/c k/a k/a k/a k/d", "k/e", 2],
    ["is not sent away for another, with a token for each", "k/a k/b k/c k/d k/e k/f", "k/g", "full"],
    ["with as many as the one with the most takes its own", "k/b k/a k/b k/a k/c k/d", "k/a", 1],
    ["gets a place from the key that has more than its share", "j/a k/a k/a k/b k/c k/d", "l/a", 1],
    ["gets none from a key within its share", "j/a j/b j/c k/a k/b k/c", "l/a", "full"],
    ["of the key that has more than its share takes that key's", "j/a k/a k/a k/b k/c k/d", "k/e", 1],
  ])("%s", (_what, there, newcomer, expected) => {
    const all = by(there);
    const [who] = by(newcomer);
    const verdict = verdictOn(all, who?.owner ?? { key: "", token: "" }, bounds);
    expect(verdict).toEqual(
      typeof expected === "number" ? { status: "displaces", listener: all[expected] } : { status: expected },
    );
  });
});
