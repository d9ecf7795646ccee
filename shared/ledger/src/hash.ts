/**
 * Reads the fields of a hash as `HGETALL` gives them: all strings, absent ones as "" or 0.
 */

import { JOB_TYPES, type JobType } from "@muster/domain/pool";

export type Hash = Record<string, string>;

export const text = (hash: Hash, field: string): string => hash[field] ?? "";

export const number = (hash: Hash, field: string): number => Number(hash[field] ?? 0);

export const jobType = (hash: Hash): JobType => JOB_TYPES.find((type) => type === hash.type) ?? "room";
