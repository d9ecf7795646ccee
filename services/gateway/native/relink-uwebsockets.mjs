/**
 * Lets the prebuilt uWebSockets.js binaries load on glibc 2.36 and 2.37 (Debian 12). They were linked on a newer system,
 * where the compiler calls strtol, strtoul and sscanf by names that appeared in glibc 2.38 (`__isoc23_…`); everything
 * else they need is in 2.36. This step gives those imports their old names. The old functions differ only in not
 * reading "0b…" as a binary number, which nothing in uWebSockets.js writes.
 *
 * Runs after `npm install`; pass a folder to work on another copy of the package. Prints one line. Changes only files
 * whose sha256 is listed here, and only into what is listed here. Never fails an install: the gateway can do without
 * (it then serves with `ws`, see choose-transport.ts).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { dropImportPrefix, replaceVersion } from "./elf.mjs";

const PACKAGE_VERSION = "20.57.0";

/** Each file's sha256, as published and as this step leaves it. Another version of the package needs another table. */
const KNOWN = {
  "uws_linux_x64_115.node": {
    published: "5b126ee00bf754b02e97e4c27090365a8562c5820c93f93918ac2212d4503e91",
    relinked: "0fdb9722352c4e0f519b42ad8b0c2bd4544b2c27484c1d49ddf143bfd1637cbb",
  },
  "uws_linux_x64_127.node": {
    published: "4b55b1f2cb7a7913febbb65a89496412b96af77e838552980092ba6b33723aac",
    relinked: "4ea0943df7d3202b3ada5eb01c40c37c63bb192fd9c7b1abae5082c5cc1f2803",
  },
  "uws_linux_x64_137.node": {
    published: "98128405dba2fb608448e921a979530f70c946a2cc9889c15f2fa70c2d00ab05",
    relinked: "8d5817f3a52803cb69a0e3d54f6487b533fda603aa63dab8ea09f9762d992e0b",
  },
  "uws_linux_x64_141.node": {
    published: "813d788b347c6fd76b779d8932311ec05a044e612b4b83af220f16e6ea789683",
    relinked: "395fee5c7a644ad0964cc26651b5dd12833c147123c69dbe938fe17eb13a2760",
  },
  "uws_linux_arm64_115.node": {
    published: "6bdbc8ff976b4371af1906175e9025804bacc38a414969f4f02314e6b99f206c",
    relinked: "68016401b908e59200b227ade8fe6b36bc9f8e30892e54cefd590a960612d7a6",
  },
  "uws_linux_arm64_127.node": {
    published: "82b79bd18d1e3563de336156005bd01b7f39fc387b65173d69a29da4ee79f895",
    relinked: "b28ee349e8a15aa5fd30988fc3935eb1b8898e44f27f2ae903ad9e959567c1e6",
  },
  "uws_linux_arm64_137.node": {
    published: "88618b30ddf6b2b62310db89f40a701616676352aac5e0f6184dd8ef876199ce",
    relinked: "84c03ca18de632e52cce378f073f8b008c0817c957d2e475284ce08f75c88a77",
  },
  "uws_linux_arm64_141.node": {
    published: "81d0186dd1549ed6a7f47e68e323573fc27d69d2920527654ce2dd993af2b0ec",
    relinked: "de517c5f4cd31f4431fc07e2eb212924b0cd02e770679a36ed063b6b47c1c017",
  },
};

/** The oldest symbol version of each architecture's glibc: where the old names live. */
const BASE_VERSION = { x64: "GLIBC_2.2.5", arm64: "GLIBC_2.17" };

function main() {
  const reason = notNeeded();
  if (reason !== undefined) return say(`nothing to do, ${reason}`);
  const folder = process.argv[2] ?? installedPackage();
  requireVersion(folder);
  const prefix = `uws_linux_${process.arch}_`;
  const files = readdirSync(folder).filter((name) => name.startsWith(prefix) && name.endsWith(".node"));
  if (files.length === 0) throw new Error(`no ${prefix}*.node in ${folder}`);
  const changed = files.filter((name) => relinkFile(join(folder, name), KNOWN[name]));
  say(`relinked ${changed.length} of ${files.length} linux-${process.arch} binaries for glibc ${glibc()}`);
}

function glibc() {
  return process.report.getReport().header.glibcVersionRuntime;
}

/** Why these machines need no relinking, or cannot be helped by it; undefined when they do. */
function notNeeded() {
  if (process.platform !== "linux") return `the ${process.platform} binary needs no relinking`;
  if (BASE_VERSION[process.arch] === undefined)
    return `there is no binary for linux-${process.arch}: the gateway will use ws`;
  const version = glibc();
  if (version === undefined) return "this is no glibc system: the gateway will use ws";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 2 || minor >= 38) return `glibc ${version} has all that uWebSockets.js needs`;
  if (minor < 36) return `uWebSockets.js needs glibc 2.36, here is ${version}: the gateway will use ws`;
  return undefined;
}

function installedPackage() {
  return dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
}

function requireVersion(folder) {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (version !== PACKAGE_VERSION) {
    throw new Error(`uWebSockets.js is ${version}, this step knows ${PACKAGE_VERSION} only`);
  }
}

/** True when the file was changed, false when it had been before. */
function relinkFile(path, known) {
  const file = readFileSync(path);
  const found = sha256(file);
  if (found === known?.relinked) return false;
  if (found !== known?.published) throw new Error(`${path} is not the published binary (sha256 ${found})`);
  dropImportPrefix(file, "__isoc23_");
  replaceVersion(file, "libc.so.6", "GLIBC_2.38", BASE_VERSION[process.arch]);
  if (sha256(file) !== known.relinked) throw new Error(`relinking ${path} gave an unexpected result`);
  replaceFile(path, file);
  return true;
}

/** By rename: a process that has the old file loaded keeps it, and a death half-way leaves no half-written binary. */
function replaceFile(path, bytes) {
  const scratch = `${path}.relinking`;
  writeFileSync(scratch, bytes, { mode: statSync(path).mode });
  renameSync(scratch, path);
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function say(text) {
  process.stdout.write(`relink-uwebsockets: ${text}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(
    `relink-uwebsockets: WARNING: ${error.message}. Nothing is broken, but the gateway may fall back to the slower ws ` +
      "transport on this machine.\n",
  );
}
