/** Who hosts a name: the same answer everywhere, an even share for each node, and as little as can be moves. */
import { ownerOf } from "@muster/actor/rendezvous";
import { describe, expect, it } from "vitest";

const nodes = ["NO_a7Kq2", "NO_b7Kq2", "NO_c7Kq2", "NO_d7Kq2", "NO_e7Kq2"];
const names = Array.from({ length: 20_000 }, (_, index) => `tenant-${index}`);

describe("rendezvous", () => {
  it("has no owner without nodes", () => {
    expect(ownerOf("a", [])).toBeUndefined();
  });

  it("answers the same whatever the order of the nodes", () => {
    const reversed = [...nodes].reverse();
    for (const name of names.slice(0, 1_000)) expect(ownerOf(name, reversed)).toBe(ownerOf(name, nodes));
  });

  it("gives every node its share, within 5 %, also of names that differ in their last letters only", () => {
    const shares = new Map<string | undefined, number>();
    for (const name of names) shares.set(ownerOf(name, nodes), (shares.get(ownerOf(name, nodes)) ?? 0) + 1);
    const fair = names.length / nodes.length;
    expect(shares.size).toBe(nodes.length);
    for (const share of shares.values()) expect(Math.abs(share - fair) / fair).toBeLessThan(0.05);
  });

  it("moves only the names of a node that leaves, and spreads them over those that stay", () => {
    const left = nodes.slice(1);
    const heirs = new Map<string | undefined, number>();
    for (const name of names) {
      const before = ownerOf(name, nodes);
      const after = ownerOf(name, left);
      if (before !== nodes[0]) expect(after).toBe(before);
      else heirs.set(after, (heirs.get(after) ?? 0) + 1);
    }
    expect(heirs.size).toBe(left.length);
    for (const share of heirs.values()) expect(share).toBeGreaterThan(names.length / 5 / 4 / 1.25);
  });

  it("moves names only to a node that joins", () => {
    const joined = [...nodes, "NO_f7Kq2"];
    const moved = names.filter((name) => ownerOf(name, joined) !== ownerOf(name, nodes));
    expect(moved.every((name) => ownerOf(name, joined) === "NO_f7Kq2")).toBe(true);
    expect(Math.abs(moved.length - names.length / 6)).toBeLessThan(names.length / 6 / 10);
  });
});
