/**
 * Strings that can be written as UTF-8. JSON and JavaScript allow half of a surrogate pair; UTF-8, and with it protobuf,
 * does not.
 */

/** In Node since 20, in TypeScript's library only from ES2024 on. */
interface WellFormedMethods {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

export function isWellFormed(text: string): boolean {
  return (text as unknown as WellFormedMethods).isWellFormed();
}

/** The text with each lone surrogate replaced by U+FFFD. */
export function toWellFormed(text: string): string {
  return (text as unknown as WellFormedMethods).toWellFormed();
}
