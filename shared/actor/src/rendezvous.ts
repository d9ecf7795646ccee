/**
 * Owns the answer to "which of these nodes hosts this name": highest-random-weight hashing. Pure: the same name and
 * nodes give the same owner in every process and in any order, and when a node comes or goes only the names it wins or
 * held move. Never asks who is live.
 */

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits, over UTF-16 code units. Also what spreads names over the buckets of the due index. */
export function hashOf(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  return scramble(hash);
}

/** The node that hosts `name`; undefined when there are no nodes. */
export function ownerOf(name: string, nodes: readonly string[]): string | undefined {
  const nameHash = hashOf(name);
  let owner: string | undefined;
  let highest = -1;
  for (const node of nodes) {
    const weight = scramble(nameHash ^ hashOf(node));
    // Equal weights are decided by the id, so that the order of the list never matters.
    if (weight > highest || (weight === highest && owner !== undefined && node < owner)) {
      owner = node;
      highest = weight;
    }
  }
  return owner;
}

/** MurmurHash3's finaliser: FNV alone leaves names that differ in their last letter close together. */
function scramble(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
