/**
 * A refusal of something that stands inside something else: its field is named from the outside, as the caller wrote it.
 */

import { DispatchError } from "@muster/domain/errors";

/** @throws DispatchError of `check`, with `outer` before its field: `orders.0` and `metadata` are `orders.0.metadata` */
export function underField(outer: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof DispatchError) || error.field === undefined) throw error;
    const problem = error.message.slice(`${error.field}: `.length);
    throw new DispatchError(error.code, problem, `${outer}.${error.field}`);
  }
}
