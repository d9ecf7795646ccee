/**
 * The relink step, run as `npm install` runs it, on copies of the installed package. Its input must be the published
 * binary, which an installed package may no longer hold: `unrelink` brings that back, and its sha256 proves it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";

const STEP = fileURLToPath(new URL("../native/relink-uwebsockets.mjs", import.meta.url));
const INSTALLED = dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
const BINARY = `uws_linux_${process.arch}_${process.versions.modules}.node`;
const PUBLISHED = readFileSync(STEP, "utf8").match(
  new RegExp(`"${BINARY}": \\{\\s+published: "(\\w{64})"`),
)?.[1];
const run = promisify(execFile);

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A package as npm unpacks it, with the one binary that this Node loads. */
function publishedPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), "muster-relink-"));
  folders.push(folder);
  for (const file of ["package.json", "uws.js"]) copyFileSync(join(INSTALLED, file), join(folder, file));
  writeFileSync(join(folder, BINARY), unrelink(readFileSync(join(INSTALLED, BINARY))));
  return folder;
}

/** Undoes the two edits: the last libc version entry that stands twice, and the names of the symbols that refer to it. */
function unrelink(file: Buffer): Buffer {
  if (sha256(file) === PUBLISHED) return file;
  const strings = section(file, 4);
  const needs = section(file, 6);
  const base = process.arch === "x64" ? "GLIBC_2.2.5\0" : "GLIBC_2.17\0";
  const doubled = libcVersions(file, needs).filter(
    (at) => strings.indexOf(base) === needs.readUInt32LE(at + 8),
  );
  const changed = doubled[0] ?? 0;
  needs.writeUInt32LE(0x069691b8, changed); // the ELF hash of "GLIBC_2.38"
  needs.writeUInt32LE(strings.indexOf("GLIBC_2.38\0"), changed + 8);
  const symbols = section(file, 3);
  const versions = section(file, 5);
  for (let index = 0; index * 2 < versions.length; index++) {
    if (versions.readUInt16LE(index * 2) !== needs.readUInt16LE(changed + 6)) continue;
    symbols.writeUInt32LE(symbols.readUInt32LE(index * 24) - "__isoc23_".length, index * 24);
  }
  expect(sha256(file)).toBe(PUBLISHED);
  return file;
}

/** These binaries hold their sections in a fixed order: 3 .dynsym, 4 .dynstr, 5 .gnu.version, 6 .gnu.version_r. */
function section(file: Buffer, index: number): Buffer {
  const header = Number(file.readBigUInt64LE(0x28)) + index * 64;
  const start = Number(file.readBigUInt64LE(header + 0x18));
  return file.subarray(start, start + Number(file.readBigUInt64LE(header + 0x20)));
}

function libcVersions(file: Buffer, needs: Buffer): number[] {
  const strings = section(file, 4);
  let library = 0;
  while (
    !strings
      .subarray(needs.readUInt32LE(library + 4))
      .toString("latin1", 0, 9)
      .startsWith("libc.so.6")
  ) {
    library += needs.readUInt32LE(library + 12);
  }
  const found = [library + needs.readUInt32LE(library + 8)];
  while (found.length < needs.readUInt16LE(library + 2)) {
    const last = found.at(-1) ?? 0;
    found.push(last + needs.readUInt32LE(last + 12));
  }
  return found;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const relink = (folder: string) => run(process.execPath, [STEP, folder]);
const glibcMinor = () => {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return Number(report.header?.glibcVersionRuntime?.split(".")[1]);
};

const needed = process.platform === "linux" && PUBLISHED !== undefined && [36, 37].includes(glibcMinor());

describe.runIf(needed)("relinking on glibc 2.36 and 2.37", () => {
  test("makes the published binary load, and does nothing the second time", async () => {
    const folder = publishedPackage();
    const load = () =>
      run(process.execPath, ["-p", `typeof require(${JSON.stringify(join(folder, "uws.js"))}).App`]);
    await expect(load()).rejects.toThrow("GLIBC_2.38");
    expect((await relink(folder)).stdout).toMatch(
      /^relink-uwebsockets: relinked 1 of 1 linux-.* binaries for glibc 2\.3[67]\n$/,
    );
    expect((await load()).stdout).toBe("function\n");
    const relinked = readFileSync(join(folder, BINARY));
    expect((await relink(folder)).stdout).toContain("relinked 0 of 1");
    expect(readFileSync(join(folder, BINARY)).equals(relinked)).toBe(true);
  });

  test("leaves a binary it does not know as it is, warns, and does not fail the install", async () => {
    const folder = publishedPackage();
    const strange = readFileSync(join(folder, BINARY));
    strange[strange.length - 1] = (strange.at(-1) ?? 0) ^ 1;
    writeFileSync(join(folder, BINARY), strange);
    const { stderr, stdout } = await relink(folder);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/WARNING: .*is not the published binary \(sha256 \w{64}\).*ws transport/);
    expect(readFileSync(join(folder, BINARY)).equals(strange)).toBe(true);
  });

  test("leaves another version of the package alone", async () => {
    const folder = publishedPackage();
    writeFileSync(join(folder, "package.json"), JSON.stringify({ version: "20.58.0" }));
    expect((await relink(folder)).stderr).toContain(
      "uWebSockets.js is 20.58.0, this step knows 20.57.0 only",
    );
    expect(sha256(readFileSync(join(folder, BINARY)))).toBe(PUBLISHED);
  });

  test("without the package it warns and does not fail the install", async () => {
    const { stderr } = await relink(join(tmpdir(), "muster-no-such-folder"));
    expect(stderr).toContain("WARNING: ENOENT");
  });
});
