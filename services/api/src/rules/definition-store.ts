/**
 * What callers do with a project's rules and room configurations: put, read, list, delete. Owns the bounds on how many
 * there are and how large, and each refusal that follows from what is stored. Each is one script, so a call that broke off
 * is done or is not; what is stored reaches rooms by definitions.ts.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Ledger } from "@muster/ledger/ledger";
import type { DoorPolicy } from "../door-policy.js";
import { nextCursor, rankOf } from "../rest/page.js";

export type DefinitionKind = "rules" | "configurations";

export interface DefinitionStoreDeps {
  ledger: Pick<Ledger, "putDefinition" | "deleteDefinition" | "readDefinition" | "listDefinitions">;
  doors: Pick<DoorPolicy, "rules" | "roomConfigurations">;
}

export interface DefinitionKey {
  project: string;
  kind: DefinitionKind;
  id: string;
}

export interface StoredDefinition {
  id: string;
  version: number;
  text: string;
}

export const MAX_DEFINITION_BYTES = 1024 * 1024;
/** Of one kind: each api holds a copy of all. */
const MAX_ALL_BYTES = 64 * 1024 * 1024;
/** Of one page, beside the one that goes beyond. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

const WORDS = { rules: "rule", configurations: "room configuration" } as const;
const SETTINGS = { rules: "MUSTER_RULES", configurations: "MUSTER_ROOM_CONFIGURATIONS" } as const;

export class DefinitionStore {
  readonly #deps: DefinitionStoreDeps;

  constructor(deps: DefinitionStoreDeps) {
    this.#deps = deps;
  }

  /**
   * The body was checked. `ifVersion` 0 is whatever there is.
   * @throws DispatchError `failed_precondition` (another version, or too many), `too_large`; nothing has changed then
   */
  async put(
    key: DefinitionKey,
    body: object,
    ifVersion: number,
  ): Promise<{ version: number; isNew: boolean }> {
    const text = JSON.stringify(body);
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_DEFINITION_BYTES) {
      throw new DispatchError(
        "too_large",
        `${bytes} bytes as stored; at most ${MAX_DEFINITION_BYTES} are taken`,
      );
    }
    const { doors } = this.#deps;
    const maxCount = key.kind === "rules" ? doors.rules : doors.roomConfigurations;
    const bounds = { maxCount, maxBytes: MAX_ALL_BYTES };
    const reply = await this.#deps.ledger.putDefinition({ ...key, text, ifVersion, ...bounds });
    switch (reply.status) {
      case "stored":
        return { version: reply.version, isNew: reply.created === 1 };
      case "changed":
        throw anotherVersion(key, reply.version);
      case "full":
        throw new DispatchError(
          "failed_precondition",
          `there are ${reply.count} ${WORDS[key.kind]}s, and at most ${maxCount} are kept (${SETTINGS[key.kind]}); delete one first`,
        );
      case "too_large":
        throw new DispatchError(
          "too_large",
          `all ${WORDS[key.kind]}s together would be ${reply.bytes} bytes; at most ${MAX_ALL_BYTES} are kept`,
        );
    }
  }

  /** Answers its last version; undefined when it is not there, as after an earlier call. @throws `failed_precondition` */
  async delete(key: DefinitionKey, ifVersion: number): Promise<number | undefined> {
    const reply = await this.#deps.ledger.deleteDefinition({ ...key, ifVersion });
    if (reply.status === "changed") throw anotherVersion(key, reply.version);
    return reply.status === "deleted" ? reply.version : undefined;
  }

  /** @throws DispatchError `not_found` */
  async read(key: DefinitionKey): Promise<StoredDefinition> {
    const reply = await this.#deps.ledger.readDefinition(key);
    if (reply.status === "unknown") throw notThere(key);
    return { id: key.id, version: reply.version, text: reply.text };
  }

  /** The longest unchanged first. @throws DispatchError `invalid_argument` for a cursor of another list */
  async list(
    { project, kind }: Omit<DefinitionKey, "id">,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<{ found: StoredDefinition[]; next_cursor: string | null; total: number }> {
    const offset = rankOf(cursor, kind);
    const page = { project, kind, offset, limit, maxBytes: MAX_PAGE_BYTES };
    const { ids, versions, texts, total } = await this.#deps.ledger.listDefinitions(page);
    const found = ids.map((id, at) => ({ id, version: Number(versions[at]), text: texts[at] ?? "" }));
    return { found, next_cursor: nextCursor(kind, offset + found.length, total), total };
  }
}

function anotherVersion({ kind, id }: DefinitionKey, version: number): DispatchError {
  const is = version === 0 ? "is not there" : `is version ${version} by now`;
  const problem = `the ${WORDS[kind]} ${id} ${is}; read it, and ask anew`;
  return new DispatchError("failed_precondition", problem, "if-match");
}

function notThere({ kind, id }: DefinitionKey): DispatchError {
  return new DispatchError("not_found", `there is no ${WORDS[kind]} ${id}`);
}
