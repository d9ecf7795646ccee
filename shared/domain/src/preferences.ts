/**
 * Whom the jobs of an order would rather have, and whom they must not have; and labels, by which workers are told apart.
 * Owns how both are written in the ledger. What is allowed is checked where it comes in.
 */

export interface LabelStep {
  /** All of them are needed. */
  labels: Readonly<Record<string, string>>;
  /** For so long; then the next step holds. */
  forMs: number;
}

export interface Preferences {
  /** Workers that get none of its jobs. */
  exclude: readonly string[];
  /** The worker that took the last job of this key, and for how long no other will do. */
  sticky: { key: string; holdMs: number } | undefined;
  /** Which workers will do, one step after the other. */
  labels: readonly LabelStep[];
  /** Who will do when the last step is over. */
  otherwise: "anyone" | "nobody";
}

/** `name=value` of each, by name. No `=` and no `;` is left in a name or a value. */
export function labelTexts(labels: Readonly<Record<string, string>>): string[] {
  const texts = Object.entries(labels).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return texts.sort();
}

export function encodeLabels(labels: Readonly<Record<string, string>>): string {
  return labelTexts(labels).join(";");
}

export function decodeLabels(text: string): Record<string, string> {
  const pairs = text.split(";").filter((label) => label !== "");
  return Object.fromEntries(pairs.map((label) => label.split("=").map(decodeURIComponent)));
}

/** The fields of an order in the ledger; none for one that takes whoever there is. */
export function encodePreferences({ exclude, sticky, labels, otherwise }: Preferences): {
  prefer?: string;
  loosens?: string;
  sticky?: string;
} {
  if (exclude.length === 0 && sticky === undefined && labels.length === 0) return {};
  const prefer = {
    ...(exclude.length > 0 && { exclude }),
    ...(sticky !== undefined && { sticky: { key: sticky.key, hold_ms: sticky.holdMs } }),
    ...(labels.length > 0 && {
      labels: labels.map((step) => ({ match: labelTexts(step.labels), for_ms: step.forMs })),
      otherwise,
    }),
  };
  const times = loosenings({ sticky, labels, otherwise });
  return {
    prefer: JSON.stringify(prefer),
    ...(times.length > 0 && { loosens: times.join(",") }),
    ...(sticky !== undefined && { sticky: sticky.key }),
  };
}

/** What encodePreferences wrote; undefined for "". */
export function decodePreferences(text: string): Preferences | undefined {
  if (text === "") return undefined;
  const kept = JSON.parse(text) as {
    exclude?: string[];
    sticky?: { key: string; hold_ms: number };
    labels?: { match: string[]; for_ms: number }[];
    otherwise?: Preferences["otherwise"];
  };
  const { exclude = [], sticky, labels = [], otherwise = "anyone" } = kept;
  return {
    exclude,
    sticky: sticky === undefined ? undefined : { key: sticky.key, holdMs: sticky.hold_ms },
    labels: labels.map((step) => ({ labels: decodeLabels(step.match.join(";")), forMs: step.for_ms })),
    otherwise,
  };
}

/** When a job gives up one of its wishes, in ms of waiting, ascending. */
function loosenings({ sticky, labels, otherwise }: Omit<Preferences, "exclude">): number[] {
  let ends = 0;
  const steps = labels.map(({ forMs }) => {
    ends += forMs;
    return ends;
  });
  if (otherwise === "nobody") steps.pop();
  const held = sticky === undefined || sticky.holdMs === 0 ? [] : [sticky.holdMs];
  return [...new Set([...held, ...steps])].sort((a, b) => a - b);
}
