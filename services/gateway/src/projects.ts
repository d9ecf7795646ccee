/**
 * Owns which project an API key belongs to. All keys belong to the default one; projects of their own come here.
 */

import { DEFAULT_PROJECT } from "@muster/domain/namespace";

/** For a key that has been verified. */
export function projectOfKey(_apiKey: string): string {
  return DEFAULT_PROJECT;
}
