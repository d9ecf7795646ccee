/** A sizing with figures that are easy to reckon with: for tests of what follows from figures, never of measuring. */
import { type FigureName, type Figures, figureGroups } from "./figures.js";
import { readOptions } from "./options.js";
import type { Sizing } from "./tables.js";

/** Every figure is 1 but those given. */
export function someFigures(given: Partial<Figures> = {}): Figures {
  const names = figureGroups().flatMap(({ names }) => names);
  const ones = Object.fromEntries(names.map((name) => [name, 1])) as Record<FigureName, number>;
  return { ...ones, ...given };
}

export function someSizing(given: Partial<Figures> = {}): Sizing {
  return {
    machine: { cores: 2, cpu: "a cpu", memoryGiB: 8, node: "v20.20.0", redis: "7.0.0", date: "2026-01-01" },
    settings: readOptions([]).settings,
    figures: someFigures(given),
  };
}
