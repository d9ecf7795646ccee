/**
 * The two ways the code says "this cannot be": an exhaustive switch that was not, and a broken invariant.
 * Neither is for bad input; what comes from outside is refused with a DispatchError (errors.ts).
 */

/** Ends an exhaustive switch. The compiler refuses the call while a case is missing. */
export function assertNever(value: never, what: string): never {
  throw new InvariantError(`unexpected ${what}: ${String(value)}`);
}

/** A bug of ours. Carries a static message, so that it can be counted and searched for. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
