export const GOLDEN_FOLDER: string;

/** File name to content. */
export function renderVectors(): Map<string, Uint8Array>;
