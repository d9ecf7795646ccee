export const NEWEST: string;
export const OLDEST: string;
export function builtLivekitServer(version: string, cache?: string): string | undefined;
export function bringLivekitServer(
  version: string,
  cache?: string,
): Promise<{ path: string } | { missing: string }>;
