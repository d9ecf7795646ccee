export type Program = { path: string; env: Record<string, string> } | { missing: string };
export function bringProgram(name: string, packageName?: string): Program;
