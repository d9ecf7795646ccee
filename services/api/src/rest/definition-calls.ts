/**
 * What /v1/rules and /v1/room-configurations do with what a project stores: put, read, list, delete. Owns who may, and what
 * is shown of one; how each is declared, and which fields a list leaves out, is its routes' business.
 */

import type { z } from "@hono/zod-openapi";
import { type Caller, requireChangeAll, requireReadAll } from "../auth.js";
import type { DefinitionKind, DefinitionStore, StoredDefinition } from "../rules/definition-store.js";
import { readStored } from "../rules/read-stored.js";
import { type DefinitionsQuery, type VersionHeaders, versionOf } from "./definition-schemas.js";

export interface DefinitionCallsDeps {
  store: DefinitionStore;
}

export interface Definable<Body extends object> {
  kind: DefinitionKind;
  /** As it was put, and is read from the ledger. */
  schema: z.ZodType<Body>;
  /** The bounds that the schema cannot say. @throws DispatchError `invalid_argument`, with the field */
  check(body: Body): void;
}

type Version = z.infer<typeof VersionHeaders>;
type Query = z.infer<typeof DefinitionsQuery>;

export function definitionCalls<Body extends object>(
  { store }: DefinitionCallsDeps,
  { kind, schema, check }: Definable<Body>,
) {
  const keyOf = ({ project }: Caller, id: string) => ({ project, kind, id });
  const view = ({ id, version, text }: StoredDefinition) => ({
    ...{ id, version },
    ...readStored(schema, text),
  });
  return {
    /** @throws DispatchError as `check` and DefinitionStore.put */
    async put(caller: Caller, id: string, body: Body, ifMatch: Version) {
      requireChangeAll(caller);
      check(body);
      const { version, isNew } = await store.put(keyOf(caller, id), body, versionOf(ifMatch));
      return { isNew, view: { id, version, ...body } };
    },

    /** @throws DispatchError as DefinitionStore.read */
    async read(caller: Caller, id: string) {
      requireReadAll(caller);
      return view(await store.read(keyOf(caller, id)));
    },

    /** @throws DispatchError as DefinitionStore.list */
    async list(caller: Caller, query: Query) {
      requireReadAll(caller);
      const { found, ...page } = await store.list({ project: caller.project, kind }, query);
      return { found: found.map(view), page };
    },

    /** @throws DispatchError as DefinitionStore.delete */
    async delete(caller: Caller, id: string, ifMatch: Version) {
      requireChangeAll(caller);
      const version = await store.delete(keyOf(caller, id), versionOf(ifMatch));
      return { id, version: version ?? null };
    },
  };
}
