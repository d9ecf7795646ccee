/** Owns the compose file as tests see it: as Compose's own loader gives it, with the values of .env.example. */
import { fileURLToPath } from "node:url";
import { runGoProgram } from "../kit/go-program.js";

export const folder = fileURLToPath(new URL("../../deploy/compose/", import.meta.url));

export interface ComposeService {
  image: string;
  build?: { context: string; dockerfile?: string; target?: string };
  command?: string[] | null;
  entrypoint?: string[] | null;
  environment?: Record<string, string>;
  ports?: { target: number; published: string; protocol: string; host_ip?: string }[];
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
  read_only?: boolean;
  privileged?: boolean;
  network_mode?: string;
  cap_drop?: string[];
  cap_add?: string[];
  deploy?: { replicas?: number };
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
}

/** @throws Error with what Compose says when it would refuse the file, or warn of it */
export function readCompose(
  file = `${folder}compose.yaml`,
  variables = `${folder}.env.example`,
): ComposeFile {
  return runGoProgram(new URL("compose-check", import.meta.url), [file, variables]) as ComposeFile;
}
