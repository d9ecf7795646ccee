/** The pages that tell of the chart: what they have their readers write into values is taken, and what they name is there. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { chart, LEAST, objectsIn, root, template } from "./chart.js";

const PAGES = [`${root}docs/KUBERNETES.md`, `${chart}/README.md`];
const text = (page: string) => readFileSync(page, "utf8");
const valuesIn = (page: string) =>
  [...text(page).matchAll(/```yaml\n(.*?)```/gs)]
    .map(([, block = ""]) => block)
    .filter((block) => !block.startsWith("# livekit-server's values"));

const titled = valuesIn(`${root}docs/KUBERNETES.md`).map((block) => [
  Object.keys(parse(block)).join(", "),
  block,
]);
it.each(titled)("values of the page are taken: %s", (_keys, block = "") => {
  const { code, errors } = template({ ...LEAST, ...(parse(block) as object) });
  expect(errors).toBe("");
  expect(code).toBe(0);
});

it("the page has values to try", () => {
  expect(valuesIn(`${root}docs/KUBERNETES.md`).length).toBeGreaterThan(5);
});

it("each Redis url of the page is taken", () => {
  const urls = [...text(`${root}docs/KUBERNETES.md`).matchAll(/\| `(rediss?(?:\+\w+)?:\/\/[^`]+)` \|/g)];
  expect(urls.length).toBe(5);
  for (const [, url = ""] of urls) {
    const password = url.includes("$(") ? { password: { existingSecret: "redis" } } : {};
    expect(template({ ...LEAST, redis: { url, ...password } }).errors).toBe("");
  }
});

it("the five minutes' own names are those of what is made", () => {
  const [block = ""] = valuesIn(`${root}docs/KUBERNETES.md`);
  const names = objectsIn(template(parse(block) as object).output).map(({ metadata }) => metadata.name);
  expect(names).toContain("muster-router");
  for (const [, name = ""] of text(`${root}docs/KUBERNETES.md`).matchAll(/(muster-\w+)\.voice\.svc/g))
    expect(names).toContain(name);
});

it.each(PAGES)("its links lead somewhere: %s", (page) => {
  for (const [, target = ""] of text(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
    expect(existsSync(resolve(dirname(page), target)), target).toBe(true);
});
