/**
 * Owns the private copy of the checkout that is mutated, so that neither the checkout nor what runs in it ever is. The
 * copy has every file that git knows or would add, as it is now, and what is generated beside them. Third-party packages
 * are links into the checkout; the workspaces are links within the copy, or the tests would run what nobody mutated.
 */

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";

const SCOPE = "@muster";

/** An empty folder for a copy, by its real name; to be removed by whoever asked for it. */
export const newFolder = () => realpathSync(mkdtempSync(join(tmpdir(), "muster-mutations-")));

export function copyCheckout(root, copy) {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  for (const file of listed.split("\0")) {
    // Listed, too: what was deleted and not yet committed, and links that lead out of here.
    if (!lstatSync(join(root, file), { throwIfNoEntry: false })?.isFile()) continue;
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  linkPackages(root, copy);
  generate(copy, "@muster/wire");
}

/** Writes anew what a package generates. Throws with what its generator says. */
export function generate(copy, workspace) {
  execFileSync("npm", ["run", "--silent", "generate", "-w", workspace], {
    cwd: copy,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function linkPackages(root, copy) {
  const [from, to] = [join(root, "node_modules"), join(copy, "node_modules")];
  mkdirSync(join(to, SCOPE), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name !== SCOPE && !name.startsWith(".vite")) symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, SCOPE))) {
    // Relative, as npm writes it: `../../shared/ledger`.
    symlinkSync(readlinkSync(join(from, SCOPE, name)), join(to, SCOPE, name));
    const workspace = realpathSync(join(to, SCOPE, name));
    if (!workspace.startsWith(copy + sep)) {
      throw new Error(
        `${SCOPE}/${name} leads out of the copy, to ${workspace}: what is mutated would not run`,
      );
    }
  }
}
