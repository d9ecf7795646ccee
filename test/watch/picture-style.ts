/** Owns how the pictures of dashboards look: colours, and how numbers are written in a unit. */

export const [INK, PAPER, CARD, RULE] = ["#24292f", "#f4f5f7", "#ffffff", "#e3e5e8"];

export const FONT = "Helvetica, Arial, sans-serif";

/** Told apart by those who see few colours as well (Okabe and Ito), then some more. */
export const PALETTE = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#8c6bb1",
  "#a6a04a",
];

const NAMED: Record<string, string> = {
  green: "#2f9e5b",
  orange: "#e08b00",
  red: "#d1372f",
  "dark-red": "#8f1d17",
  blue: "#2b6cb0",
  purple: "#8c6bb1",
};

export const colourOf = (name: string): string => NAMED[name] ?? name;

export function written(value: number, unit: string, decimals?: number): string {
  const round = (number: number, digits: number) => String(Number(number.toFixed(digits)));
  switch (unit) {
    case "s":
      if (value === 0) return "0 s";
      if (Math.abs(value) < 0.0995) return `${round(value * 1_000, value < 0.01 ? 1 : 0)} ms`;
      if (Math.abs(value) < 1) return `${round(value * 1_000, 0)} ms`;
      return Math.abs(value) < 120 ? `${round(value, 1)} s` : `${round(value / 60, 1)} min`;
    case "percentunit":
      return `${round(value * 100, decimals ?? 1)} %`;
    case "bytes":
      return `${round(value / 2 ** 20, 0)} MiB`;
    case "ops":
    case "reqps":
      return `${round(value, value < 10 ? 2 : 0)}/s`;
    default:
      return Math.abs(value) >= 10_000 ? `${round(value / 1_000, 1)} k` : round(value, decimals ?? 2);
  }
}
