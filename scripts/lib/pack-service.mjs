/**
 * Copies what one service needs to run, and nothing else: no devDependencies, no other service's packages, nothing that
 * Node cannot run (types, maps, prose). Which packages those are, npm says. Never changes what it copies from.
 */

import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { root } from "./run.mjs";

/** Of a workspace package: what it runs, and the scripts that it sends to Redis, which lie beside `dist`. */
const SHIPPED = ["package.json", "dist", "lua"];
const NOT_RUN = /\.([cm]?ts|map|tsbuildinfo|md|markdown|flow)$/i;
/** Folders of packages: their own packages are listed by themselves, the rest is for who works on them. */
const NOT_SHIPPED = /^(node_modules|tests?|__tests__|benchmarks?|examples?|docs|\.github|\.husky)$/;
/** uWebSockets.js brings a binary of 5 to 7 MB for each platform and Node. */
const SOCKET_BINARY = /^uws_.*\.node$/;
const OWN_BINARY = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;

/** @throws Error when the service is not built, or not installed as its package.json says. */
export function packService(service, folder) {
  const paths = productionPaths(service);
  for (const path of paths) {
    const place = join(folder, relative(root, path));
    if (lstatSync(path).isSymbolicLink()) linkWorkspace(realpathSync(path), place, folder);
    else copy(path, place, isShipped);
  }
  return { bytes: sizeOf(folder), packages: paths.length };
}

/** Folders of the service itself and of all that it imports, in the words of npm. */
function productionPaths(service) {
  const { name } = JSON.parse(readFileSync(join(root, "services", service, "package.json"), "utf8"));
  const listed = execFileSync("npm", ["ls", "--all", "--omit=dev", "--parseable", "--workspace", name], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 16 * 1024 * 1024,
  });
  return listed.split("\n").filter((path) => path !== "" && `${path}/` !== root);
}

/** As npm has it: node_modules/@muster/… leads to the folder, which lies where it lies here. */
function linkWorkspace(real, place, folder) {
  const target = join(folder, relative(root, real));
  if (!existsSync(join(real, "dist"))) throw new Error(`${relative(root, real)} is not built: npm run build`);
  for (const part of SHIPPED)
    if (existsSync(join(real, part))) copy(join(real, part), join(target, part), isRun);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(relative(dirname(place), target), place);
}

function copy(from, to, filter) {
  cpSync(from, to, { recursive: true, filter: (path) => path === from || filter(path) });
}

const isRun = (path) => !NOT_RUN.test(basename(path)) || statSync(path).isDirectory();

function isShipped(path) {
  const name = basename(path);
  if (statSync(path).isDirectory()) return !NOT_SHIPPED.test(name);
  return isRun(path) && (!SOCKET_BINARY.test(name) || name === OWN_BINARY);
}

function sizeOf(path) {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
