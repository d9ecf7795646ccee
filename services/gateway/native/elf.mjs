/**
 * Just enough of the ELF64 format to find, in a shared object, which symbols it imports and which versions of them.
 * Owns reading and the two edits the relink step needs. Never touches code or data: only names that the dynamic
 * linker reads before anything runs. Little-endian files only, which both linux targets are.
 */

const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;

/** The bytes of a section by its name, as a window into `file` (a write to it is a write to the file). */
function section(file, name) {
  const headersAt = Number(file.readBigUInt64LE(0x28));
  const count = file.readUInt16LE(0x3c);
  const header = (index) => {
    const at = headersAt + index * SECTION_HEADER_BYTES;
    const start = Number(file.readBigUInt64LE(at + 0x18));
    const size = Number(file.readBigUInt64LE(at + 0x20));
    return { nameAt: file.readUInt32LE(at), bytes: file.subarray(start, start + size) };
  };
  const names = header(file.readUInt16LE(0x3e)).bytes;
  for (let index = 0; index < count; index++) {
    const candidate = header(index);
    if (textAt(names, candidate.nameAt) === name) return candidate.bytes;
  }
  throw new Error(`no section ${name}`);
}

function textAt(bytes, start) {
  return bytes.toString("latin1", start, bytes.indexOf(0, start));
}

/** The versions this file asks of one library. Each: its name, and where to overwrite that (hash, then name offset). */
function neededVersions(file, library) {
  const needs = section(file, ".gnu.version_r");
  const strings = section(file, ".dynstr");
  for (let at = 0; ; at += needs.readUInt32LE(at + 12)) {
    if (textAt(strings, needs.readUInt32LE(at + 4)) === library) return versionsOf(needs, at, strings);
    if (needs.readUInt32LE(at + 12) === 0) throw new Error(`does not import from ${library}`);
  }
}

function versionsOf(needs, libraryAt, strings) {
  const found = [];
  let at = libraryAt + needs.readUInt32LE(libraryAt + 8);
  for (let left = needs.readUInt16LE(libraryAt + 2); left > 0; left--) {
    found.push({ name: textAt(strings, needs.readUInt32LE(at + 8)), entry: needs.subarray(at, at + 16) });
    at += needs.readUInt32LE(at + 12);
  }
  return found;
}

/** Asks for version `to` wherever the file asked `library` for version `from`. Says whether it did. */
export function replaceVersion(file, library, from, to) {
  const versions = neededVersions(file, library);
  const old = versions.find((version) => version.name === from);
  const base = versions.find((version) => version.name === to);
  if (old === undefined) return false;
  if (base === undefined) throw new Error(`does not ask ${library} for ${to}`);
  base.entry.copy(old.entry, 0, 0, 4); // the hash of the version's name
  base.entry.copy(old.entry, 8, 8, 12); // the offset of the name; the index that symbols refer to stays
  return true;
}

/**
 * Imports each symbol called `prefix…` under its name without the prefix, and says how many there were. No new string
 * is needed: names end at a zero byte, so the tail of the old name *is* the new name. Imported symbols are in no hash
 * table, so nothing else refers to the old spelling.
 */
export function dropImportPrefix(file, prefix) {
  const symbols = section(file, ".dynsym");
  const strings = section(file, ".dynstr");
  let renamed = 0;
  for (let at = 0; at < symbols.length; at += SYMBOL_BYTES) {
    const nameAt = symbols.readUInt32LE(at);
    const imported = symbols.readUInt16LE(at + 6) === 0;
    if (!imported || !textAt(strings, nameAt).startsWith(prefix)) continue;
    symbols.writeUInt32LE(nameAt + prefix.length, at);
    renamed++;
  }
  return renamed;
}
