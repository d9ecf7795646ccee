/** The marks of the guide: what is written between them, what is refused, and that the guide has each part filled in. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { figureGroups, specOf } from "./figures.js";
import { partsIn, withParts } from "./guide.js";
import { GUIDE } from "./options.js";
import { someSizing } from "./some-sizing.js";
import { partsOf } from "./tables.js";

const page = ["# Page", "<!-- sizing: a -->", "old", "<!-- /sizing: a -->", "prose", ""].join("\n");
const guide = readFileSync(new URL(`../../${GUIDE}`, import.meta.url), "utf8");

test("what is between the marks is written anew, and nothing else", () => {
  const written = withParts(page, { a: "new\nlines\n" });
  expect(written).toBe("# Page\n<!-- sizing: a -->\n\nnew\nlines\n\n<!-- /sizing: a -->\nprose\n");
  expect(partsIn(written)).toEqual(new Map([["a", "new\nlines"]]));
  expect(withParts(written, { a: "new\nlines" })).toBe(written);
});

test.each([
  ["a part without an end", "<!-- sizing: a -->", "the part a has no end"],
  ["an end without a part", "<!-- /sizing: a -->", "line 1: <!-- /sizing: a --> is out of place"],
  [
    "a part in a part",
    "<!-- sizing: a -->\n<!-- sizing: b -->",
    "line 2: <!-- sizing: b --> is out of place",
  ],
  ["two of one name", `${page}${page}`, "two parts are called a"],
])("%s is refused", (_, text, problem) => {
  expect(() => partsIn(text)).toThrow(problem);
});

test("a part that is missing, or that nothing is known for, is refused", () => {
  expect(() => withParts(page, { a: "", b: "" })).toThrow("no part is called b");
  expect(() => withParts(page, {})).toThrow("nothing is known for the part a");
});

test("the guide has exactly the parts that are written, none of them empty", () => {
  const there = partsIn(guide);
  expect([...there.keys()].sort()).toEqual(Object.keys(partsOf(someSizing())).sort());
  expect([...there.values()]).not.toContain("");
});

test("the guide tells of every figure, under the words that it has now", () => {
  const figures = partsIn(guide).get("figures") ?? "";
  for (const { title, names } of figureGroups()) {
    expect(figures).toContain(`| ${title} `);
    for (const name of names) expect(figures).toContain(`| ${specOf(name).what} `);
  }
});
