/**
 * Owns one planted bug in the copy: written, and taken back, with all that is generated from it. Nothing but the file
 * that the mutation names, and what is generated from that, is ever another than in the checkout.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "./copy-checkout.mjs";

const LEDGER_LUA = "shared/ledger/lua/";
const LEDGER_SCRIPTS = "shared/ledger/src/generated/scripts.ts";

/** The mutated text. Throws StaleMutation when the code is not any more what the mutation was written for. */
export function mutated(text, { file, find, replace, also = [] }) {
  let result = text;
  for (const edit of [{ find, replace }, ...also]) {
    const times = result.split(edit.find).length - 1;
    if (times !== 1)
      throw new StaleMutation(`${file} has ${times} times: ${edit.find.trim().split("\n")[0]}`);
    result = result.replace(edit.find, () => edit.replace);
  }
  return result;
}

export class StaleMutation extends Error {}

/** Runs `work` while the bug is there. */
export async function withMutation(copy, mutation, work) {
  const touched = [mutation.file, ...(mutation.file.startsWith(LEDGER_LUA) ? [LEDGER_SCRIPTS] : [])];
  const before = touched.map((file) => [join(copy, file), readFileSync(join(copy, file), "utf8")]);
  const [[target, text]] = before;
  try {
    writeFileSync(target, mutated(text, mutation));
    if (touched.includes(LEDGER_SCRIPTS)) generate(copy, "@muster/ledger");
    return await work();
  } finally {
    for (const [file, was] of before) writeFileSync(file, was);
  }
}
