import type { VideoGrant } from "@muster/wire/video-grant";

type Grants = Partial<VideoGrant> | undefined;
export const HOLDERS: Readonly<Record<string, Grants>>;
export const OTHER_DOORS: Readonly<Record<string, string>>;
export function opens(grant: string, video: Grants): boolean;
export function restDoors(
  paths: Record<string, Record<string, { operationId: string }>>,
  grants: Readonly<Record<string, string>>,
): [door: string, grant: string][];
export function grantTable(doors: readonly (readonly [door: string, grant: string])[]): string;
