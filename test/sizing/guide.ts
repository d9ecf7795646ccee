/**
 * Owns the marked parts of the guide: what stands between `<!-- sizing: name -->` and `<!-- /sizing: name -->` is written
 * by `npm run sizing`, and nothing else is touched. A guide whose marks are not exactly those is refused.
 */

const MARK = /^<!-- (\/?)sizing: ([a-z]+) -->$/;

export class GuideError extends Error {
  override readonly name = "GuideError";
}

/** The text of each marked part, by its name. */
export function partsIn(guide: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  walk(guide, (name, lines) => {
    if (parts.has(name)) throw new GuideError(`two parts are called ${name}`);
    parts.set(name, lines.join("\n").trim());
    return lines;
  });
  return parts;
}

/** The guide with other parts. `parts` names all that it has, and no other. */
export function withParts(guide: string, parts: Readonly<Record<string, string>>): string {
  const there = partsIn(guide);
  const missing = Object.keys(parts).filter((name) => !there.has(name));
  if (missing.length > 0) throw new GuideError(`no part is called ${missing.join(", ")}`);
  return walk(guide, (name) => {
    const text = parts[name];
    if (text === undefined) throw new GuideError(`nothing is known for the part ${name}`);
    return ["", ...text.trim().split("\n"), ""];
  });
}

function walk(guide: string, replace: (name: string, lines: string[]) => string[]): string {
  const written: string[] = [];
  let open: { name: string; lines: string[] } | undefined;
  for (const [index, line] of guide.split("\n").entries()) {
    const [isMark, slash, name = ""] = MARK.exec(line) ?? [];
    if (isMark === undefined) (open?.lines ?? written).push(line);
    else if (slash === "" && open === undefined) {
      written.push(line);
      open = { name, lines: [] };
    } else if (slash === "/" && open?.name === name) {
      written.push(...replace(name, open.lines), line);
      open = undefined;
    } else throw new GuideError(`line ${index + 1}: ${line} is out of place`);
  }
  if (open !== undefined) throw new GuideError(`the part ${open.name} has no end`);
  return written.join("\n");
}
